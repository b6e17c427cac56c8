//! Attributes with their values as one writes them on a command line: `stars=5`,
//! `tags=["a","b"]`, `day:timestamp=2025-03-01`.

use std::str::FromStr;

use latentdb_index::Value;
use serde_json::Value as Json;

use super::document::attribute;
use super::kind::{Kind, TimeForm};
use super::mapping::Mapped;
use crate::error::{Error, Result};

/// An attribute and what it is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The attribute's name.
    pub name: String,
    /// The kind that is named.
    kind: Option<Kind>,
    /// The value as it was written.
    text: String,
}

impl FromStr for Assignment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = |what: &str| {
            Error::invalid(
                "attribute",
                format!(
                    "{text:?} {what}; accepted are NAME=VALUE and NAME:KIND=VALUE, for example \
                     stars=5, tags=[\"a\",\"b\"] or day:timestamp=2025-03-01"
                ),
            )
        };
        let (target, value) = text.split_once('=').ok_or_else(|| malformed("has no ="))?;
        let (name, kind) = match target.split_once(':') {
            Some((name, kind)) => (name, Some(kind.trim().parse::<Kind>()?)),
            None => (target, None),
        };
        if name.trim().is_empty() {
            return Err(malformed("has no name"));
        }
        Ok(Self {
            name: name.trim().to_owned(),
            kind,
            text: value.to_owned(),
        })
    }
}

impl Assignment {
    /// The value. Where no kind is named, it is of the kind that the collection's documents have of
    /// the attribute (`held`, by the names of [`Value::kind`]), if that is one; else a number, a
    /// boolean, a quoted string or an array of them as JSON has it, and anything else is a string.
    ///
    /// # Errors
    /// `InvalidArgument` where it is not of its kind, is nothing, or no value of an attribute.
    pub fn value(&self, held: &[String]) -> Result<Value> {
        let refused = |what: &str| {
            let message = format!("attribute {:?}: {what}", self.name);
            Err(Error::invalid("attribute", message))
        };
        let kind = self.kind.clone().or_else(|| known(held));
        let json = self.json(kind.as_ref());
        let mapped = match &kind {
            None => Mapped::Plain(json),
            Some(kind) => match kind.convert(&json) {
                Ok(Some(value)) if matches!(kind, Kind::Timestamp(_)) => Mapped::Time(value),
                Ok(Some(value)) => Mapped::Plain(value),
                Ok(None) => {
                    return refused("nothing is no value; --remove takes an attribute away");
                }
                Err(error) if self.kind.is_some() => return refused(error.message()),
                Err(error) => {
                    return refused(&format!(
                        "{}. The documents have it as {kind}; NAME:KIND=VALUE sets it to another kind",
                        error.message()
                    ));
                }
            },
        };
        match attribute(mapped) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Ok(Value::List(Vec::new())),
            Err(what) => refused(&what),
        }
    }

    /// What was written as JSON, for conversion to a kind: a list, a quoted string or a scalar. Of a
    /// scalar that becomes a string or a time, the text stays as it is: `007` and `1e5` are texts.
    fn json(&self, kind: Option<&Kind>) -> Json {
        let text = || Json::String(self.text.clone());
        let parsed = serde_json::from_str(self.text.trim()).unwrap_or_else(|_| text());
        let keeps = matches!(kind, Some(Kind::String | Kind::Timestamp(_)));
        match parsed {
            Json::Array(_) | Json::String(_) => parsed,
            _ if keeps => text(),
            // The parser of JSON is off by the last bit now and then.
            Json::Number(number) if number.is_f64() => self
                .text
                .trim()
                .parse::<f64>()
                .map_or(Json::Number(number), Json::from),
            parsed => parsed,
        }
    }
}

/// The kind of an attribute whose values are all of one kind. Integers become floats where there are
/// floats alone; where there are both, a number is what it is written as.
fn known(held: &[String]) -> Option<Kind> {
    let [held] = held else { return None };
    Some(match held.as_str() {
        "string" => Kind::String,
        "integer" => Kind::Int,
        "float" => Kind::Float,
        "boolean" => Kind::Bool,
        "timestamp" => Kind::Timestamp(TimeForm::Iso),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, held: &[&str]) -> Result<Value> {
        let held: Vec<String> = held.iter().map(|&held| held.to_owned()).collect();
        text.parse::<Assignment>().and_then(|own| own.value(&held))
    }

    fn string(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn values_are_read_as_json_unless_a_kind_says_otherwise() {
        let day = Value::Timestamp(1_740_787_200_000_000);
        for (text, held, expected) in [
            ("n=5", &[][..], Value::Integer(5)),
            ("n=5.0", &[], Value::Float(5.0)),
            ("n=-1e3", &[], Value::Float(-1000.0)),
            ("n=true", &[], Value::Boolean(true)),
            ("n=007", &[], string("007")),
            ("n=two words", &[], string("two words")),
            ("n=", &[], string("")),
            ("n=a=b", &[], string("a=b")),
            ("n=\"5\"", &[], string("5")),
            (
                "n=[\"a\",\"b\"]",
                &[],
                Value::List(vec![string("a"), string("b")]),
            ),
            (
                "n=[1,2.5]",
                &[],
                Value::List(vec![Value::Float(1.0), Value::Float(2.5)]),
            ),
            ("n=[]", &[], Value::List(vec![])),
            ("n=2025-03-01", &[], string("2025-03-01")),
            ("n:timestamp=2025-03-01", &[], day.clone()),
            ("n:timestamp(%d/%m/%Y)=01/03/2025", &[], day.clone()),
            ("n:timestamp(s)=1740787200", &[], day.clone()),
            ("n:string=5", &[], string("5")),
            ("n:float=5", &[], Value::Float(5.0)),
            (
                "n:string=[1,\"x\"]",
                &[],
                Value::List(vec![string("1"), string("x")]),
            ),
            // As the documents have it.
            ("n=2025-03-01", &["timestamp"], day),
            ("n=1e5", &["string"], string("1e5")),
            ("n=5", &["float"], Value::Float(5.0)),
            ("n=yes", &["boolean"], Value::Boolean(true)),
            ("n=5", &["float", "integer"], Value::Integer(5)),
            ("n=x", &["string", "integer"], string("x")),
            ("n:int=5", &["string"], Value::Integer(5)),
        ] {
            assert_eq!(value(text, held).unwrap(), expected, "{text} {held:?}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for (text, held, part) in [
            ("n", &[][..], "has no ="),
            ("=5", &[], "has no name"),
            ("n:number=5", &[], "is not a kind"),
            ("n=null", &[], "is null"),
            ("n={\"a\":1}", &[], "is an object"),
            ("n=[[1]]", &[], "list of lists"),
            ("n=4.5", &["integer"], "as int; NAME:KIND=VALUE"),
            ("n=", &["integer"], "--remove takes"),
            ("n:int=x", &["integer"], "is not of kind int"),
        ] {
            let error = value(text, held).unwrap_err();
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }
}

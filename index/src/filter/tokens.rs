//! Cuts the text form of filters into tokens.

use crate::error::{Error, Result};

/// A word, value or symbol of the language.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(String),
    Quoted(String),
    Name(String),
    Integer(i64),
    Float(f64),
    Symbol(&'static str),
    End,
}

/// An error at a column.
pub(super) fn at_column(column: usize, message: impl std::fmt::Display) -> Error {
    Error::invalid("", format!("column {column}: {message}"))
}

/// The tokens of a filter's text with their columns, from 1; the last is the end.
pub(super) fn tokenise(text: &str) -> Result<Vec<(Token, usize)>> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let column = at + 1;
        let first = characters[at];
        if first.is_whitespace() {
            at += 1;
        } else if first.is_alphabetic() || first == '_' {
            let start = at;
            while at < characters.len()
                && (characters[at].is_alphanumeric() || matches!(characters[at], '_' | '.' | '-'))
            {
                at += 1;
            }
            tokens.push((Token::Word(characters[start..at].iter().collect()), column));
        } else if first.is_ascii_digit() || matches!(first, '-' | '+' | '.') {
            let start = at;
            at += 1;
            while at < characters.len()
                && (characters[at].is_ascii_digit()
                    || matches!(characters[at], '.' | 'e' | 'E')
                    || (matches!(characters[at], '-' | '+')
                        && matches!(characters[at - 1], 'e' | 'E')))
            {
                at += 1;
            }
            let number: String = characters[start..at].iter().collect();
            tokens.push((parse_number(&number, column)?, column));
        } else if matches!(first, '"' | '\'' | '`') {
            let mut value = String::new();
            at += 1;
            loop {
                match characters.get(at) {
                    None => return Err(at_column(column, format!("{first} is not closed"))),
                    Some(&next) if next == first => break,
                    Some('\\') => match characters.get(at + 1) {
                        Some(&escaped @ ('\\' | '"' | '\'' | '`')) => {
                            value.push(escaped);
                            at += 2;
                        }
                        _ => {
                            return Err(at_column(
                                at + 1,
                                "a backslash stands before a quote or another backslash; write \\\\ \
                                 for a backslash",
                            ));
                        }
                    },
                    Some(&next) => {
                        value.push(next);
                        at += 1;
                    }
                }
            }
            at += 1;
            let token = if first == '`' {
                Token::Name(value)
            } else {
                Token::Quoted(value)
            };
            tokens.push((token, column));
        } else {
            let rest: String = characters[at..characters.len().min(at + 2)]
                .iter()
                .collect();
            let symbol = [">=", "<=", "!=", "==", "(", ")", ",", "=", "<", ">"]
                .into_iter()
                .find(|symbol| rest.starts_with(symbol))
                .ok_or_else(|| at_column(column, format!("{first:?} means nothing here")))?;
            at += symbol.len();
            tokens.push((Token::Symbol(symbol), column));
        }
    }
    tokens.push((Token::End, characters.len() + 1));
    Ok(tokens)
}

fn parse_number(text: &str, column: usize) -> Result<Token> {
    if let Ok(number) = text.parse::<i64>() {
        return Ok(Token::Integer(number));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Token::Float(number)),
        _ => Err(at_column(column, format!("{text:?} is not a number"))),
    }
}

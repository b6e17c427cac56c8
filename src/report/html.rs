//! Reports: one self-contained HTML file of text, plots, tables and documents.
//!
//! A file holds all it needs (styles and SVG inline, no script) and says so to the browser, so it
//! reads the same offline, in a mail, on a phone, light or dark. It is well-formed XML too, so
//! programs can read it. `report.html` lays it out. Everything but plots is escaped; plots come from
//! [`crate::plot`], which escapes what it writes.

use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};
use serde::Serialize;

use super::table::Table;
use crate::error::{Error, Result};
use crate::plot::escaped;

const TEMPLATE: &str = include_str!("report.html");
const STYLE: &str = include_str!("style.css");
/// Characters of a document shown before it is folded.
const SHOWN: usize = 700;

/// A report.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// What it is about; the heading and the window's title.
    pub title: String,
    /// A sentence or two below the heading: what was found.
    pub summary: String,
    /// What was asked, and of what: name and value, the date among them.
    pub parameters: Vec<(&'static str, String)>,
    /// The parts, in order.
    pub sections: Vec<Section>,
}

/// A part of a report under a heading of its own.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// What is in it, in order.
    pub blocks: Vec<Block>,
}

/// Something in a section.
#[derive(Clone, Debug, Serialize)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// An SVG of [`crate::plot`], with what it shows.
    Plot {
        /// The drawing.
        svg: String,
        /// What it shows.
        caption: String,
    },
    /// Rows of a table.
    Table(Table),
    /// The same, folded under a line of text.
    Folded(String, Table),
    /// Documents with their text.
    Documents(Vec<Example>),
}

/// A document shown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Example {
    /// Its id.
    pub id: String,
    /// Why it is shown and what else is known of it.
    pub about: String,
    /// Its text.
    pub text: String,
    /// It is shown for the one before it, to be compared with it.
    pub is_counterpart: bool,
}

impl Report {
    /// The file's content.
    ///
    /// ```
    /// use latentdb::report::Report;
    ///
    /// let report = Report { title: "a < b".to_owned(), ..Report::default() };
    /// assert!(report.html()?.contains("<h1>a &lt; b</h1>"));
    /// # Ok::<(), latentdb::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Internal` where the template does not take it.
    pub fn html(&self) -> Result<String> {
        let mut environment = Environment::new();
        environment.set_formatter(|out, _, value| {
            let text = value.to_string();
            out.write_str(&if value.is_safe() {
                text
            } else {
                escaped(&text)
            })
            .map_err(Into::into)
        });
        let report = Value::from(Serde(self));
        let context = context! { style => STYLE, folded_from => SHOWN, ..report };
        let rendered = environment.render_named_str("report.html", TEMPLATE, context);
        rendered.map_err(|error| Error::internal("a report was not written").with_source(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_data_becomes_markup() {
        let wild = "<script>alert(\"x\")</script> & 'y' \u{1b}[31m";
        let table = Table::of(&[wild])
            .text(wild, |cell| (*cell).to_owned())
            .build();
        let report = Report {
            title: wild.to_owned(),
            summary: wild.to_owned(),
            parameters: vec![(wild, wild.to_owned())],
            sections: vec![Section {
                heading: wild.to_owned(),
                blocks: vec![
                    Block::Text(wild.to_owned()),
                    Block::Plot {
                        svg: String::new(),
                        caption: wild.to_owned(),
                    },
                    Block::Folded(wild.to_owned(), table.clone()),
                    Block::Table(table),
                    Block::Documents(vec![Example {
                        id: wild.to_owned(),
                        about: wild.to_owned(),
                        text: wild.repeat(30),
                        is_counterpart: true,
                    }]),
                ],
            }],
        };
        let html = report.html().unwrap();
        assert!(!html.contains("<script") && !html.contains('\u{1b}'));
        assert_eq!(
            html.matches("&lt;script&gt;alert(&quot;x&quot;)").count(),
            15 + 30
        );
    }

    #[test]
    fn tables_have_their_columns() {
        let table = Table::of(&["a", "b", "c"])
            .text("what", |row| (*row).to_owned())
            .number("part", |_| "0.1".to_owned())
            .build();
        let report = Report {
            sections: vec![Section {
                heading: String::new(),
                blocks: vec![Block::Table(table)],
            }],
            ..Report::default()
        };
        let html = report.html().unwrap();
        assert!(html.contains("<th scope=\"col\" class=\"number\">part</th>"));
        assert_eq!(html.matches("<tr>").count(), 4);
        assert!(html.contains("<tr><td>b</td><td class=\"number\">0.1</td></tr>\n"));
    }

    #[test]
    fn tags_are_closed_and_nothing_is_fetched() {
        let report = Report {
            sections: vec![Section {
                heading: "h".to_owned(),
                blocks: vec![Block::Documents(vec![Example {
                    text: "word ".repeat(500),
                    ..Example::default()
                }])],
            }],
            ..Report::default()
        };
        let html = report.html().unwrap();
        for tag in [
            "section", "article", "details", "summary", "main", "header", "dl", "p",
        ] {
            let opened = html.matches(&format!("<{tag}>")).count()
                + html.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
        }
        for fetching in ["src=", "href=", "url(", "@import"] {
            assert!(!html.contains(fetching), "{fetching}");
        }
    }
}

//! Reports: one self-contained HTML file of text, plots, tables and documents.
//!
//! A file holds all it needs (styles and SVG inline, no script) and says so to the browser, so it
//! reads the same offline, in a mail, on a phone, light or dark. It is well-formed XML too, so
//! programs can read it. Everything but plots is escaped; plots come from [`crate::plot`], which
//! escapes what it writes.

pub mod sae;
pub mod steering;

use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");
/// Characters of a document shown before it is folded.
const SHOWN: usize = 700;

/// A report.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What it is about; the heading and the window's title.
    pub title: String,
    /// A sentence or two below the heading: what was found.
    pub summary: String,
    /// What was asked, and of what: name and value, the date among them.
    pub parameters: Vec<(String, String)>,
    /// The parts, in order.
    pub sections: Vec<Section>,
}

/// A part of a report under a heading of its own.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// What is in it, in order.
    pub blocks: Vec<Block>,
}

/// Something in a section.
#[derive(Clone, Debug)]
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

/// A table. Rows have as many cells as there are columns.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Names of the columns, and whether they hold numbers, which are set to the right.
    pub columns: Vec<(String, bool)>,
    /// The cells.
    pub rows: Vec<Vec<String>>,
}

/// A document shown.
#[derive(Clone, Debug, Default)]
pub struct Example {
    /// Its id.
    pub id: String,
    /// Why it is shown and what else is known of it.
    pub about: String,
    /// Its text.
    pub text: String,
    /// It is shown for the one before it, to be compared with it.
    pub is_beside: bool,
}

impl Table {
    /// A table without rows; columns whose names end in `#` hold numbers.
    ///
    /// ```
    /// use latentdb::report::Table;
    ///
    /// let table = Table::new(&["latent", "documents#"]);
    /// assert_eq!(table.columns[1], ("documents".to_owned(), true));
    /// ```
    pub fn new(columns: &[&str]) -> Self {
        let column = |name: &&str| match name.strip_suffix('#') {
            Some(name) => (name.to_owned(), true),
            None => ((*name).to_owned(), false),
        };
        Self {
            columns: columns.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }
}

impl Report {
    /// The file's content.
    ///
    /// ```
    /// use latentdb::report::Report;
    ///
    /// let report = Report { title: "a < b".to_owned(), ..Report::default() };
    /// assert!(report.html().contains("<h1>a &lt; b</h1>"));
    /// ```
    pub fn html(&self) -> String {
        let title = escaped(&self.title);
        let mut out = String::from("<!DOCTYPE html>\n");
        let _ = writeln!(
            out,
            "<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n\
             <meta charset=\"utf-8\" />\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n\
             <meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'\" />\n\
             <meta name=\"color-scheme\" content=\"light dark\" />\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <header>\n<h1>{title}</h1>\n<p>{}</p>\n<dl>",
            escaped(&self.summary)
        );
        for (name, value) in &self.parameters {
            let (name, value) = (escaped(name), escaped(value));
            let _ = writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
        }
        out.push_str("</dl>\n</header>\n<main>\n");
        for section in &self.sections {
            let _ = writeln!(out, "<section>\n<h2>{}</h2>", escaped(&section.heading));
            for block in &section.blocks {
                block.write(&mut out);
            }
            out.push_str("</section>\n");
        }
        out.push_str("</main>\n</body>\n</html>\n");
        out
    }
}

impl Block {
    fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => {
                let _ = writeln!(out, "<p>{}</p>", escaped(text));
            }
            Self::Plot { svg, caption } => {
                let caption = escaped(caption);
                let _ = writeln!(
                    out,
                    "<figure>\n{svg}<figcaption>{caption}</figcaption>\n</figure>"
                );
            }
            Self::Table(table) => table.write(out),
            Self::Folded(summary, table) => {
                let _ = writeln!(out, "<details>\n<summary>{}</summary>", escaped(summary));
                table.write(out);
                out.push_str("</details>\n");
            }
            Self::Documents(examples) => {
                for example in examples {
                    example.write(out);
                }
            }
        }
    }
}

impl Table {
    fn write(&self, out: &mut String) {
        let class = |at: usize| match self.columns.get(at) {
            Some((_, true)) => " class=\"number\"",
            _ => "",
        };
        out.push_str("<div class=\"wide\"><table>\n<thead><tr>");
        for (at, (name, _)) in self.columns.iter().enumerate() {
            let _ = write!(out, "<th scope=\"col\"{}>{}</th>", class(at), escaped(name));
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            out.push_str("<tr>");
            for (at, cell) in row.iter().enumerate() {
                let _ = write!(out, "<td{}>{}</td>", class(at), escaped(cell));
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody>\n</table></div>\n");
    }
}

impl Example {
    fn write(&self, out: &mut String) {
        let (id, about) = (escaped(&self.id), escaped(&self.about));
        let class = if self.is_beside {
            " class=\"beside\""
        } else {
            ""
        };
        let _ = write!(
            out,
            "<article{class}>\n<p class=\"about\"><b>{id}</b> {about}</p>\n"
        );
        match self.text.char_indices().nth(SHOWN) {
            None => {
                let _ = writeln!(out, "<p class=\"text\">{}</p>", escaped(&self.text));
            }
            Some((cut, _)) => {
                let (shown, rest) = self.text.split_at(cut);
                let _ = writeln!(
                    out,
                    "<details class=\"text\"><summary>{}…</summary><p>…{}</p></details>",
                    escaped(shown),
                    escaped(rest)
                );
            }
        }
        out.push_str("</article>\n");
    }
}

/// Text as it may stand in an element or a quoted attribute. Control characters, which XML cannot
/// hold, become spaces.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_data_becomes_markup() {
        let wild = "<script>alert(\"x\")</script> & 'y' \u{1b}[31m";
        let mut table = Table::new(&["name", "count#"]);
        table.columns[0].0 = wild.to_owned();
        table.rows.push(vec![wild.to_owned(), "1".to_owned()]);
        let report = Report {
            title: wild.to_owned(),
            summary: wild.to_owned(),
            parameters: vec![(wild.to_owned(), wild.to_owned())],
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
                        is_beside: true,
                    }]),
                ],
            }],
        };
        let html = report.html();
        assert!(!html.contains("<script") && !html.contains('\u{1b}'));
        assert_eq!(
            html.matches("&lt;script&gt;alert(&quot;x&quot;)").count(),
            15 + 30
        );
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
        let html = report.html();
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

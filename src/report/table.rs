//! Tables: one description of the columns gives the terminal's text, CSV, Parquet and a report's
//! HTML.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde::Serialize;
use serde_json::Value;

use super::format;

/// A value of a column in files; `None` is an empty cell.
pub trait Cell: Sized {
    /// The values of a column.
    fn column(cells: Vec<Self>) -> Values;
}

/// The values of a column of a file.
#[derive(Clone, Debug)]
pub enum Values {
    /// Texts; an empty one is no text.
    Text(Vec<Option<String>>),
    /// Counts and numbers of things.
    Integer(Vec<Option<u64>>),
    /// Measures.
    Number(Vec<Option<f64>>),
}

macro_rules! cells {
    ($($cell:ty => $variant:ident($convert:expr),)*) => {
        $(
            impl Cell for $cell {
                fn column(cells: Vec<Self>) -> Values {
                    Values::$variant(cells.into_iter().map(|cell| $convert(Some(cell))).collect())
                }
            }

            impl Cell for Option<$cell> {
                fn column(cells: Vec<Self>) -> Values {
                    Values::$variant(cells.into_iter().map($convert).collect())
                }
            }
        )*
    };
}

cells! {
    &str => Text(|cell: Option<&str>| cell.filter(|text| !text.is_empty()).map(str::to_owned)),
    String => Text(|cell: Option<String>| cell.filter(|text| !text.is_empty())),
    u32 => Integer(|cell: Option<u32>| cell.map(u64::from)),
    u64 => Integer(|cell: Option<u64>| cell),
    // The number that its shortest decimal says: 0.7, not 0.699999988079071.
    f32 => Number(|cell: Option<f32>| cell.and_then(|cell| cell.to_string().parse().ok())),
    f64 => Number(|cell: Option<f64>| cell),
}

/// Columns of words are not cut below this width.
const LEAST_WORDS: usize = 12;

/// How a column stands on a page.
#[derive(Clone, Debug, Serialize)]
struct Shown {
    heading: String,
    is_number: bool,
    cells: Vec<String>,
}

/// A table: columns of files, by name, and columns of a page, by heading; most are both.
///
/// ```
/// use latentdb::report::Table;
///
/// let rows = [("late delivery", 0.25_f64), ("weather", 0.5)];
/// let table = Table::of(&rows)
///     .value("label", |row| row.0)
///     .text("concept", |row| row.0.to_owned())
///     .column("share", "share", |row| row.1, |share| format!("{:.0}%", share * 100.0))
///     .build();
/// assert_eq!(table.page(None), "concept        share\nlate delivery    25%\nweather          50%\n");
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct Table {
    rows: usize,
    #[serde(skip)]
    values: Vec<(String, Values)>,
    shown: Vec<Shown>,
}

/// The columns of a table over rows of one type.
#[derive(Debug)]
pub struct Columns<'a, R> {
    rows: &'a [R],
    table: Table,
}

impl<'a, R> Columns<'a, R> {
    /// A column of files alone.
    #[must_use]
    pub fn value<C: Cell>(mut self, name: &str, value: impl Fn(&'a R) -> C) -> Self {
        let values = C::column(self.rows.iter().map(value).collect());
        self.table.values.push((name.to_owned(), values));
        self
    }

    /// A column of a page alone, of words.
    #[must_use]
    pub fn text(self, heading: &str, read: impl Fn(&'a R) -> String) -> Self {
        self.shown(heading, false, read)
    }

    /// A column of a page alone, of numbers, which are set to the right.
    #[must_use]
    pub fn number(self, heading: &str, read: impl Fn(&'a R) -> String) -> Self {
        self.shown(heading, true, read)
    }

    /// A column of a page alone, of bars, which begin at its left; the last one.
    #[must_use]
    pub fn bar(self, heading: &str, read: impl Fn(&'a R) -> String) -> Self {
        let bars: Vec<String> = self.rows.iter().map(&read).collect();
        let longest = bars.iter().map(|bar| bar.chars().count()).max();
        let longest = longest.unwrap_or(0);
        self.shown(heading, true, |row| format!("{:<longest$}", read(row)))
    }

    /// A column of numbers in files and on a page; `read` is how one reads.
    #[must_use]
    pub fn column<C: Cell>(
        self,
        name: &str,
        heading: &str,
        value: impl Fn(&'a R) -> C,
        read: impl Fn(C) -> String,
    ) -> Self {
        self.value(name, &value)
            .number(heading, |row| read(value(row)))
    }

    fn shown(mut self, heading: &str, is_number: bool, read: impl Fn(&'a R) -> String) -> Self {
        self.table.shown.push(Shown {
            heading: heading.to_owned(),
            is_number,
            cells: self.rows.iter().map(read).collect(),
        });
        self
    }

    /// The table.
    pub fn build(self) -> Table {
        self.table
    }
}

impl Table {
    /// A table of these rows, without columns yet.
    pub fn of<R>(rows: &[R]) -> Columns<'_, R> {
        let table = Self {
            rows: rows.len(),
            ..Self::default()
        };
        Columns { rows, table }
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The text of a terminal of a width: columns aligned, the first to the left, the others to the
    /// right. Where they take more, the widest columns of words are cut; nothing is without a width.
    pub fn page(&self, width: Option<usize>) -> String {
        let headings: Vec<&str> = self.shown.iter().map(|column| &*column.heading).collect();
        let limits = width.map_or_else(Vec::new, |width| self.limits(width));
        let cell = |place: usize, at: usize| {
            let cell = &self.shown[place].cells[at];
            match limits.get(place) {
                Some(limit) if format::width(cell) > *limit => format::cut(cell, *limit),
                _ => cell.clone(),
            }
        };
        let places = 0..self.shown.len();
        let rows: Vec<Vec<String>> = (0..self.rows)
            .map(|at| places.clone().map(|place| cell(place, at)).collect())
            .collect();
        aligned(&headings, &rows)
    }

    /// The widths of columns that fit together: the widest of words gives way first, down to
    /// [`LEAST_WORDS`].
    fn limits(&self, width: usize) -> Vec<usize> {
        let widest = |column: &Shown| {
            let cells = column.cells.iter().map(|cell| format::width(cell));
            cells.fold(format::width(&column.heading), usize::max)
        };
        let mut widths: Vec<usize> = self.shown.iter().map(widest).collect();
        let gaps = 2 * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > width {
            let words = self.shown.iter().enumerate().filter(|(place, column)| {
                let least = LEAST_WORDS.max(format::width(&column.heading));
                !column.is_number && widths[*place] > least
            });
            let Some((place, _)) = words.max_by_key(|(place, _)| widths[*place]) else {
                break;
            };
            widths[place] -= 1;
        }
        widths
    }

    /// Writes the columns of files as CSV.
    ///
    /// # Errors
    /// What the writer says.
    pub fn csv(&self, out: impl Write) -> csv::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(self.values.iter().map(|(name, _)| name))?;
        for row in 0..self.rows {
            writer.write_record(self.values.iter().map(|(_, values)| values.cell(row)))?;
        }
        Ok(writer.flush()?)
    }

    /// Writes the columns of files as Parquet.
    ///
    /// # Errors
    /// What the writer says.
    pub fn parquet(&self, out: impl Write + Send) -> parquet::errors::Result<()> {
        let columns = self
            .values
            .iter()
            .map(|(name, values)| (name, values.array(), true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let mut writer = ArrowWriter::try_new(out, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(())
    }

    /// The columns of files as JSON objects, one a row.
    pub fn records(&self) -> impl Iterator<Item = Value> {
        let object = |row: usize| -> Value {
            let fields = self.values.iter();
            let fields = fields.map(|(name, values)| (name.clone(), values.json(row)));
            fields.collect::<serde_json::Map<_, _>>().into()
        };
        (0..self.rows).map(object)
    }
}

/// Columns aligned: the first to the left, the others to the right.
pub fn aligned(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|name| format::width(name)).collect();
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(format::width(cell));
        }
    }
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut row = String::new();
        for (at, (cell, width)) in cells.zip(&widths).enumerate() {
            let gap = " ".repeat(width - format::width(cell));
            let _ = match at {
                0 => write!(row, "{cell}{gap}"),
                _ => write!(row, "  {gap}{cell}"),
            };
        }
        text.push_str(row.trim_end());
        text.push('\n');
    };
    line(&mut header.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

impl Values {
    fn cell(&self, row: usize) -> String {
        match self {
            Self::Text(cells) => cells[row].clone().unwrap_or_default(),
            Self::Integer(cells) => cells[row].map_or(String::new(), |cell| cell.to_string()),
            Self::Number(cells) => cells[row].map_or(String::new(), |cell| cell.to_string()),
        }
    }

    fn json(&self, row: usize) -> Value {
        match self {
            Self::Text(cells) => cells[row].clone().into(),
            Self::Integer(cells) => cells[row].into(),
            Self::Number(cells) => cells[row].into(),
        }
    }

    fn array(&self) -> ArrayRef {
        match self {
            Self::Text(cells) => Arc::new(StringArray::from_iter(cells)),
            Self::Integer(cells) => Arc::new(UInt64Array::from_iter(cells)),
            Self::Number(cells) => Arc::new(Float64Array::from_iter(cells)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{self, Source};

    #[test]
    fn one_description_gives_every_form() {
        type Row = (&'static str, Option<u64>, f64, Option<f64>);
        let rows: [Row; 3] = [
            ("a, \"b\"", Some(3), 0.1, Some(0.5)),
            ("", Some(u64::MAX), 1e-300, None),
            ("c", None, -2.0, Some(1.0)),
        ];
        let table = Table::of(&rows)
            .value("label", |row| row.0)
            .text("what", |row| row.0.to_owned())
            .value("count", |row| row.1)
            .column("share", "part", |row| row.2, |share| format!("{share:.1}"))
            .value("bound", |row| row.3)
            .build();
        assert_eq!(
            table.page(None),
            "what    part\na, \"b\"   0.1\n         0.0\nc       -2.0\n"
        );
        let wide = Table::of(&[("北京烤鸭和长城的旅行", "x".repeat(60), 7_u64)])
            .text("place", |row| row.0.to_owned())
            .text("words", |row| row.1.clone())
            .number("n", |row| row.2.to_string())
            .build();
        for width in [40, 80] {
            let page = wide.page(Some(width));
            let widest = page.lines().map(format::width).max();
            assert!(widest.is_some_and(|widest| widest <= width), "{page}");
            assert!(
                page.lines().all(|line| line.ends_with(['n', '7'])),
                "{page}"
            );
        }
        let records: Vec<Value> = table.records().collect();
        assert_eq!(records[1]["label"], Value::Null);
        assert_eq!(records[0]["bound"], 0.5);
        let mut csv = Vec::new();
        table.csv(&mut csv).unwrap();
        let text = String::from_utf8(csv).unwrap();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "label,count,share,bound",
                "\"a, \"\"b\"\"\",3,0.1,0.5",
                &format!(",18446744073709551615,{},", 1e-300),
                "c,,-2,1"
            ]
        );
        let file = tempfile::Builder::new().suffix(".parquet").tempfile();
        let mut file = file.unwrap();
        table.parquet(&mut file).unwrap();
        let source = Source::Path(file.path().to_owned());
        let rows: Vec<_> = records::open(&source, None)
            .unwrap()
            .map(|row| row.unwrap())
            .collect();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].get("label").unwrap(), "a, \"b\"");
        assert_eq!(rows[1].get("count").unwrap(), u64::MAX);
        assert_eq!(rows[1].get("share").unwrap(), 1e-300);
        assert!(rows[2].get("count").unwrap().is_null());
    }
}

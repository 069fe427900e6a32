//! What a report says, before it is a page or a text.

/// A report.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// What follows, from top to bottom.
    pub blocks: Vec<Block>,
}

/// A piece of a report.
#[derive(Clone, Debug)]
pub enum Block {
    /// A heading of a section.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A paragraph that must not be overlooked.
    Warning(String),
    /// The question of the experiment.
    Lead(String),
    /// Points.
    List(Vec<String>),
    /// A command, as it is typed.
    Command(String),
    /// Names and what they stand for.
    Facts(Vec<(&'static str, String)>),
    /// A table.
    Table(Table),
    /// A plot.
    Figure(Figure),
}

/// A table: the first column names, all others are numbers unless they say otherwise.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// What it is of.
    pub caption: String,
    /// Heads of the columns.
    pub columns: Vec<String>,
    /// Lines of as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// What stands there.
    pub text: String,
    /// Less important, on a line of its own where there is room.
    pub small: String,
    /// How it is shown.
    pub tone: Tone,
}

/// How a cell is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// A number.
    #[default]
    Number,
    /// Words.
    Words,
    /// Words about something that went wrong.
    Bad,
    /// A number that is below what can be seen.
    Noise,
}

/// A plot with what must be said of it.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Name of its file, without `.svg`.
    pub name: String,
    /// The drawing.
    pub svg: String,
    /// What it answers.
    pub question: String,
    /// What must be known before it is believed.
    pub caveat: String,
}

impl Cell {
    /// A number, as text.
    pub fn number(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), ..Cell::default() }
    }

    /// Words.
    pub fn words(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), tone: Tone::Words, ..Cell::default() }
    }

    /// With something less important.
    pub fn small(mut self, text: impl Into<String>) -> Cell {
        self.small = text.into();
        self
    }

    /// Shown in another way.
    pub fn tone(mut self, tone: Tone) -> Cell {
        self.tone = tone;
        self
    }
}

/// A number with about three digits, or a dash.
///
/// ```
/// use highwater_bench::report::document::short;
/// let texts = [1234.6, 12.34, 0.0123].map(|number| short(Some(number)));
/// assert_eq!(texts, ["1,235", "12.3", "0.012"]);
/// assert_eq!(short(None), "–");
/// ```
pub fn short(value: Option<f64>) -> String {
    match value.filter(|value| value.is_finite()) {
        None => "–".into(),
        Some(value) if 999.5 <= value => crate::harness::run::grouped(value.round() as u64),
        Some(value) if 99.95 <= value.abs() => format!("{value:.0}"),
        Some(value) if 9.995 <= value.abs() => format!("{value:.1}"),
        Some(value) if 0.1 <= value.abs() || value == 0.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.3}"),
    }
}

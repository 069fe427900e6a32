//! A report as Markdown, with links to its plots.

use std::fmt::Write;

use super::document::{Block, Cell, Document, Figure, Table, Tone};

/// The text.
pub fn markdown(document: &Document) -> String {
    let mut text = format!("# {}\n", document.title);
    for block in &document.blocks {
        text.push('\n');
        text += &match block {
            Block::Heading(heading) => format!("## {heading}\n"),
            Block::Text(words) => format!("{words}\n"),
            Block::Lead(question) => format!("*{question}*\n"),
            Block::Warning(words) => format!("> **Attention.** {words}\n"),
            Block::List(points) => points.iter().map(|point| format!("- {point}\n")).collect(),
            Block::Command(command) => format!("```sh\n{command}\n```\n"),
            Block::Facts(facts) => {
                facts.iter().map(|(name, value)| format!("- {name}: {value}\n")).collect()
            }
            Block::Table(table) => self::table(table),
            Block::Figure(figure) => linked(figure),
        };
    }
    text
}

/// A table.
pub fn table(table: &Table) -> String {
    let mut text = match table.caption.as_str() {
        "" => String::new(),
        caption => format!("**{caption}**\n\n"),
    };
    // Writing to a text cannot fail.
    let _ = writeln!(text, "| {} |", table.columns.join(" | "));
    let is_number = |column: usize| {
        let tone = |row: &Vec<Cell>| row.get(column).map(|cell| cell.tone);
        table.rows.iter().any(|row| matches!(tone(row), Some(Tone::Number | Tone::Noise)))
    };
    let rules = (0..table.columns.len()).map(|at| if is_number(at) { "---:" } else { "---" });
    let _ = writeln!(text, "| {} |", rules.collect::<Vec<_>>().join(" | "));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

fn cell(cell: &Cell) -> String {
    let text = match cell.tone {
        Tone::Bad => format!("**{}**", escaped(&cell.text)),
        _ => escaped(&cell.text),
    };
    match cell.small.as_str() {
        "" => text,
        small if cell.tone == Tone::Noise => format!("{text} {small}"),
        small => format!("{text} ({})", escaped(small)),
    }
}

/// A text as a cell shows it; between backticks nothing but a bar needs it.
fn escaped(text: &str) -> String {
    let text = text.replace('|', "\\|").replace('\n', " ");
    let parts = text.split('`').enumerate().map(|(at, part)| match at % 2 {
        0 => part.replace('_', "\\_"),
        _ => part.into(),
    });
    parts.collect::<Vec<_>>().join("`")
}

fn linked(figure: &Figure) -> String {
    let Figure { name, question, caveat, .. } = figure;
    format!("**{question}**\n\n![{question}](plots/{name}.svg)\n\n{caveat}\n")
}

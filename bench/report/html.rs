//! A report as one page that needs nothing else: styles and plots are in it, scripts are not.

use super::document::{Block, Cell, Document, Figure, Table, Tone};
use super::plots::chart;

/// Looks, light and dark.
const STYLE: &str = include_str!("page.css");

/// The page.
pub fn page(document: &Document) -> String {
    let title = escaped(&document.title);
    let headings: Vec<&String> = document.blocks.iter().filter_map(heading).collect();
    let links: String = headings
        .iter()
        .map(|heading| format!("<a href=\"#{}\">{}</a>", anchor(heading), escaped(heading)))
        .collect();
    let body: String = document.blocks.iter().map(piece).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n{STYLE}{}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n<nav>{links}</nav>\n{body}</main>\n</body>\n</html>\n",
        chart::themes(),
    )
}

fn heading(block: &Block) -> Option<&String> {
    match block {
        Block::Heading(heading) => Some(heading),
        _ => None,
    }
}

fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

fn piece(block: &Block) -> String {
    match block {
        Block::Heading(heading) => {
            format!("<h2 id=\"{}\">{}</h2>\n", anchor(heading), escaped(heading))
        }
        Block::Text(text) => format!("<p>{}</p>\n", words(text)),
        Block::Lead(text) => format!("<p class=\"lead\">{}</p>\n", words(text)),
        Block::Warning(text) => format!("<p class=\"warning\">{}</p>\n", words(text)),
        Block::List(points) => {
            let points: String =
                points.iter().map(|point| format!("<li>{}</li>\n", words(point))).collect();
            format!("<ul>\n{points}</ul>\n")
        }
        Block::Command(command) => format!("<pre>{}</pre>\n", escaped(command)),
        Block::Facts(facts) => {
            let fact = |(name, value): &(&str, String)| {
                format!("<dt>{name}</dt><dd>{}</dd>\n", escaped(value))
            };
            format!("<dl>\n{}</dl>\n", facts.iter().map(fact).collect::<String>())
        }
        Block::Table(table) => tabled(table),
        Block::Figure(figure) => drawn(figure),
    }
}

fn tabled(table: &Table) -> String {
    let first = table.rows.first();
    let is_number = |at: usize| {
        let tone = first.and_then(|row| row.get(at)).map(|cell| cell.tone);
        matches!(tone, Some(Tone::Number | Tone::Noise))
    };
    let columns: String = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let class = if is_number(at) { " class=\"number\"" } else { "" };
            format!("<th scope=\"col\"{class}>{}</th>", escaped(name))
        })
        .collect();
    let row = |row: &Vec<Cell>| format!("<tr>{}</tr>\n", row.iter().map(cell).collect::<String>());
    let rows: String = table.rows.iter().map(row).collect();
    let caption = match table.caption.as_str() {
        "" => String::new(),
        caption => format!("<h3>{}</h3>\n", escaped(caption)),
    };
    // A wide table is moved within its box: the box can be reached by the keyboard for that.
    format!(
        "{caption}<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr>{columns}</tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table></div>\n"
    )
}

fn cell(cell: &Cell) -> String {
    let class = match cell.tone {
        Tone::Number => "number",
        Tone::Words => "words",
        Tone::Bad => "bad",
        Tone::Noise => "number noise",
    };
    let small = match cell.small.as_str() {
        "" => String::new(),
        small => format!("<small>{}</small>", escaped(small)),
    };
    format!("<td class=\"{class}\">{}{small}</td>", escaped(&cell.text))
}

fn drawn(figure: &Figure) -> String {
    let Figure { svg, question, caveat, .. } = figure;
    format!(
        "<figure>\n<h3>{}</h3>\n<div class=\"plot\" tabindex=\"0\">{}</div>\n\
         <figcaption>{}</figcaption>\n</figure>\n",
        escaped(question),
        chart::inline(svg, &escaped(question)),
        words(caveat),
    )
}

/// Text with what stands between backquotes as code.
fn words(text: &str) -> String {
    let mut found = String::new();
    for (at, part) in text.split('`').enumerate() {
        let part = escaped(part);
        found += &if at % 2 == 1 { format!("<code>{part}</code>") } else { part };
    }
    found
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

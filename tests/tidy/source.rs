//! A Rust file, read far enough to judge it: code without comments and texts, what of it is only
//! for tests, the paths that it names, the lengths of its functions.
//!
//! No parser: a scanner of comments and literals, and counted braces. It knows what `rustfmt`
//! leaves behind, which is all that it gets to see.

use std::ops::Range;

/// A file.
pub(crate) struct Source {
    /// Below the root of the repository.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
    /// The same lines and columns, with blanks for comments and the insides of literals.
    pub(crate) code: String,
    /// The code, with blanks for items behind `#[cfg(test)]`.
    pub(crate) product: String,
}

/// A path such as `std::fs::read`, as it stands in code or as an import spells it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Its segments with `::` between them; `*` for all.
    pub(crate) path: String,
    /// Whether a `use` says it.
    pub(crate) import: bool,
}

impl Named {
    /// Whether it names something, or something inside it.
    pub(crate) fn is_in(&self, place: &str) -> bool {
        self.path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

impl Source {
    /// Reads a file.
    pub(crate) fn new(path: &str, text: String) -> Source {
        let code = code_of(&text);
        let product = without_tests(&code);
        Source { path: path.into(), text, code, product }
    }

    /// Its functions: name, first line, number of lines.
    pub(crate) fn functions(&self) -> Vec<(&str, usize, usize)> {
        let tokens = tokens(&self.code);
        let mut functions = Vec::new();
        for pair in tokens.windows(2) {
            let [keyword, name] = pair else { continue };
            // `fn(` is a type.
            if keyword.text != "fn" || !name.is_word() {
                continue;
            }
            if let Some(body) = body(&self.code, name.at) {
                let lines = self.code[keyword.at..body.end].lines().count();
                functions.push((name.text, keyword.line, lines));
            }
        }
        functions
    }

    /// Names of the modules that it declares in files of their own, and whether for tests alone.
    pub(crate) fn modules(&self) -> Vec<(String, bool)> {
        let declared = |code| {
            let tokens = tokens(code);
            let found = tokens.windows(3).filter(|t| t[0].text == "mod" && t[2].text == ";");
            found.map(|t| t[1].text.to_string()).collect::<Vec<_>>()
        };
        let product = declared(&self.product);
        let all = declared(&self.code).into_iter();
        all.map(|name| (name.clone(), !product.contains(&name))).collect()
    }

    /// Paths outside what is for tests alone.
    pub(crate) fn product_paths(&self) -> Vec<Named> {
        paths(&self.product)
    }

    /// All paths.
    pub(crate) fn paths(&self) -> Vec<Named> {
        paths(&self.code)
    }

    /// Lines of the code, from 1, that hold a word.
    pub(crate) fn lines_with(&self, word: &str) -> Vec<usize> {
        let found = tokens(&self.code).into_iter().filter(|token| token.text == word);
        found.map(|token| token.line).collect()
    }
}

/// A piece of code: a word, `::`, or one other character.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Token<'_> {
    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    }
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = code[at..].chars().next() {
        let rest = &code[at..];
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            tokens.push(Token { text: &rest[..length], at, line });
        }
        line += usize::from(first == '\n');
        at += length;
    }
    tokens
}

/// Paths of at least two segments, and all imports.
fn paths(code: &str) -> Vec<Named> {
    let tokens = tokens(code);
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].text == "use" {
            at = import(&tokens, at + 1, "", &mut paths);
        } else if tokens[at].is_word() {
            let (path, next) = segments(&tokens, at);
            if path.contains("::") {
                paths.push(Named { line: tokens[at].line, path, import: false });
            }
            at = next;
        } else {
            at += 1;
        }
    }
    paths
}

/// `a::b::c` from a token on, and the token behind it.
fn segments(tokens: &[Token<'_>], start: usize) -> (String, usize) {
    let (mut path, mut at) = (tokens[start].text.to_string(), start + 1);
    while let [colons, word, ..] = &tokens[at..]
        && colons.text == "::"
        && word.is_word()
    {
        path = path + "::" + word.text;
        at += 2;
    }
    (path, at)
}

/// One tree of an import; returns the token behind it.
fn import(tokens: &[Token<'_>], start: usize, prefix: &str, paths: &mut Vec<Named>) -> usize {
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
    let mut at = start + usize::from(is(start, "::"));
    let mut path = prefix.to_string();
    let Some(first) = tokens.get(at) else { return at };
    let line = first.line;
    if first.is_word() {
        let (more, next) = segments(tokens, at);
        path += &more;
        at = next;
        if !is(at, "::") {
            let path = path.strip_suffix("::self").unwrap_or(&path).to_string();
            paths.push(Named { line, path, import: true });
            return at + 2 * usize::from(is(at, "as"));
        }
        path += "::";
        at += 1;
    }
    if is(at, "{") {
        at += 1;
        while at < tokens.len() && !is(at, "}") {
            at = if is(at, ",") { at + 1 } else { import(tokens, at, &path, paths) };
        }
    } else {
        paths.push(Named { line, path: path + "*", import: true });
    }
    at + 1
}

/// The braces of the item that begins at a byte; `None` if a semicolon ends it before.
fn body(code: &str, start: usize) -> Option<Range<usize>> {
    let (mut inner, mut open, mut depth) = (0, None, 0);
    for (at, c) in code[start..].char_indices().map(|(at, c)| (start + at, c)) {
        match c {
            '(' | '[' => inner += 1,
            ')' | ']' => inner -= 1,
            ';' if inner == 0 && open.is_none() => return None,
            '{' => {
                open.get_or_insert(at);
                depth += 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(open?..at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn without_tests(code: &str) -> String {
    let mut product = code.to_string();
    let mut from = 0;
    let next = |text: &str| ["#[cfg(test)]", "#[cfg(all(test"].map(|cfg| text.find(cfg));
    while let Some(at) = next(&product[from..]).into_iter().flatten().min().map(|at| from + at) {
        let end = match body(&product, at) {
            Some(body) => body.end,
            None => at + product[at..].find(';').map_or(product.len() - at, |end| end + 1),
        };
        let gone = blank(&product[at..end]);
        product.replace_range(at..end, &gone);
        from = at;
    }
    product
}

/// As many characters, all blank but the ends of lines.
fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { ' ' }).collect()
}

/// Blanks for comments and the insides of literals.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let in_word = before.is_alphanumeric() || before == '_';
        let gone = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let (Some(length), false) = (raw_text(rest), in_word) {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' {
            character(rest)
        } else {
            0
        };
        let length = if gone == 0 { first.len_utf8() } else { gone };
        let (now, later) = rest.split_at(length);
        match gone {
            0 => code.push(first),
            _ => code.push_str(&blank(now)),
        }
        before = now.chars().next_back().unwrap_or(' ');
        rest = later;
    }
    code
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") || rest.starts_with("*/") {
            depth += if rest.starts_with('/') { 1 } else { -1 };
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of `r"…"`, `r#"…"#` and the like, if one begins here.
fn raw_text(text: &str) -> Option<usize> {
    let rest = text.strip_prefix(['b', 'c']).unwrap_or(text).strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].strip_prefix('"')?;
    let start = text.len() - rest.len() + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text[start..].find(&end).map_or(text.len(), |at| start + at + end.len()))
}

/// Length of a literal with escapes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// Length of a character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut after = text.chars().skip(1);
    match (after.next(), after.next()) {
        (Some('\\'), _) | (_, Some('\'')) => quoted(text, '\''),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Source {
        Source::new("a.rs", text.into())
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        let check = |text: &str, code: &str| assert_eq!(read(text).code, code, "{text}");
        check("a // b \"c\nd", "a        \nd");
        check("a /* b /* c */ d */ e", "a                   e");
        check(r#"f("x \" // y") z"#, "f(           ) z");
        check("r#\"a \" b\"# c", "           c");
        check("for_r\"a\"", "for_r   ");
        check("x: &'a str = '\\'' + '\"' + b'x'", "x: &'a str =      +     + b   ");
        check("\"ä\" é", "    é");
    }

    #[test]
    fn items_for_tests_are_no_product() {
        let source = read("a();\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod more { x() }\nb();");
        let kept: Vec<&str> = source.product.split_whitespace().collect();
        assert_eq!(kept, ["a();", "b();"]);
        assert_eq!(source.product.lines().count(), 6);
        assert_eq!(source.modules(), [("tests".to_string(), true)]);
    }

    #[test]
    fn imports_are_spelled_out() {
        let text = "use std::{fs, io::{self, Read as R}, net::*};\nlet x = std::thread::spawn(y);";
        let found: Vec<String> = read(text).paths().into_iter().map(|named| named.path).collect();
        let expect = ["std::fs", "std::io", "std::io::Read", "std::net::*", "std::thread::spawn"];
        assert_eq!(found, expect);
        let named = &read(text).paths()[4];
        assert!(named.is_in("std::thread") && !named.is_in("std::thr") && !named.import);
        assert_eq!(named.line, 2);
    }

    #[test]
    fn a_function_is_as_long_as_its_braces() {
        let text =
            "fn a(x: [u8; 2]) -> fn(u8) {\n  if x { '{'; }\n}\ntrait T { fn b(); }\nfn c() {}";
        assert_eq!(read(text).functions(), [("a", 1, 3), ("c", 5, 1)]);
    }
}

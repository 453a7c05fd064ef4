//! A source file as the rules see it: its text, its code, and its code without tests.

use std::collections::BTreeSet;
use std::path::Path;

/// A source file. The three texts have the same lines.
#[derive(Debug)]
pub struct Source {
    /// From the root of the repository, with `/`.
    pub path: String,
    /// As it stands.
    pub text: String,
    /// With comments, strings and character literals blanked.
    pub code: String,
    /// The code, with everything blanked that is compiled for tests only.
    pub production: String,
}

impl Source {
    /// A file with this text. By its path it is a test file or none.
    pub fn new(path: &str, text: &str) -> Source {
        let code = code_of(text);
        let production = if is_test_path(path) { blank(&code) } else { without_tests(&code) };
        Source { path: path.to_owned(), text: text.to_owned(), code, production }
    }

    /// Every Rust file below these directories, where they exist.
    pub fn read_all(root: &Path, directories: &[&str]) -> Vec<Source> {
        let mut sources = Vec::new();
        for directory in directories {
            collect(root, &root.join(directory), &mut sources);
        }
        assert!(!sources.is_empty(), "there are sources in {directories:?}");
        let test_modules: BTreeSet<String> = sources.iter().flat_map(test_modules_of).collect();
        for source in &mut sources {
            let stem = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
            let inside = |module: &String| {
                stem.strip_prefix(module.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if test_modules.iter().any(inside) {
                source.production = blank(&source.code);
            }
        }
        sources
    }

    /// The module directory of `src` that the file belongs to.
    pub fn module(&self) -> Option<&str> {
        let (module, _) = self.path.strip_prefix("src/")?.split_once('/')?;
        Some(module)
    }
}

fn collect(root: &Path, directory: &Path, sources: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(root, &path, sources);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let relative = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            sources.push(Source::new(&relative, &text));
        }
    }
}

fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches"))
}

/// Paths, without `.rs`, of the modules that a file declares for tests only.
fn test_modules_of(source: &Source) -> Vec<String> {
    let folder = match source.path.rsplit_once('/') {
        Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_owned(),
        _ => source.path.trim_end_matches(".rs").to_owned(),
    };
    test_items(&source.code)
        .into_iter()
        .filter_map(|(start, end)| source.code[start..end].split_once("mod "))
        .filter_map(|(_, rest)| rest.strip_suffix(';'))
        .map(|name| format!("{folder}/{}", name.trim()))
        .collect()
}

/// `code` with everything under `#[cfg(test)]` blanked.
fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut at = 0;
    for (start, end) in test_items(code) {
        if start >= at {
            kept.push_str(&code[at..start]);
            kept.push_str(&blank(&code[start..end]));
            at = end;
        }
    }
    kept + &code[at..]
}

/// Where each item under `#[cfg(test)]` starts and ends.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    code.match_indices("#[cfg(test)]")
        .map(|(start, attribute)| {
            let item = start + attribute.len();
            let end = match code[item..].find(['{', ';']) {
                Some(offset) if code[item + offset..].starts_with('{') => {
                    match_brace(code, item + offset) + 1
                }
                Some(offset) => item + offset + 1,
                None => code.len(),
            };
            (start, end)
        })
        .collect()
}

/// Spaces in place of everything but line feeds.
fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
}

/// The offset of the brace that closes the one at `open`.
pub fn match_brace(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (offset, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return open + offset,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len() - 1
}

/// The number of the line at this offset, from 1.
pub fn line_of(code: &str, at: usize) -> usize {
    1 + code[..at].matches('\n').count()
}

/// Where `word` stands, not as a part of a longer word.
pub fn words(code: &str, word: &str) -> Vec<(usize, usize)> {
    let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let starts_in_word = in_word(word.chars().next());
    let ends_in_word = in_word(word.chars().next_back());
    code.match_indices(word)
        .map(|(at, _)| (at, at + word.len()))
        .filter(|(at, _)| !(starts_in_word && in_word(code[..*at].chars().next_back())))
        .filter(|(_, end)| !(ends_in_word && in_word(code[*end..].chars().next())))
        .collect()
}

/// `text` with comments, strings and character literals blanked; lines stay where they are.
pub fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let literal = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' | 'b' if !ends_in_word(&code) => prefixed_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if literal > 0 {
            code.push_str(&blank(&rest[..literal]));
            rest = &rest[literal..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    code
}

fn ends_in_word(code: &str) -> bool {
    code.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Bytes of the comment at the start of `rest`; comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// Bytes of the string at the start of `rest`.
fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Bytes of a raw or byte string at the start of `rest`; 0 if there is none.
fn prefixed_string(rest: &str) -> usize {
    let prefix = ["br", "r", "b"].into_iter().find(|p| rest.starts_with(p)).unwrap_or("");
    let behind = &rest[prefix.len()..];
    if !prefix.ends_with('r') {
        return if behind.starts_with('"') { prefix.len() + string(behind) } else { 0 };
    }
    let hashes = behind.len() - behind.trim_start_matches('#').len();
    let Some(body) = behind[hashes..].strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(hashes));
    let start = rest.len() - body.len();
    body.find(&end).map_or(rest.len(), |at| start + at + end.len())
}

/// Bytes of the character literal at the start of `rest`; 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            // What is escaped may be a quote itself.
            let from = 3.min(rest.len());
            rest[from..].find('\'').map_or(0, |at| from + at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[test]
fn comments_strings_and_characters_are_no_code() {
    let cases = [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        ("f(\"x\\\"y\", z)", "f(      , z)"),
        ("r#\"a \" b\"# c", "           c"),
        ("br\"a\" b\"c\" d", "           d".trim_start_matches(' ')),
        ("'x' '\\'' '\\\\' <'a>", "              <'a>"),
        ("bar\"s\"", "bar   "),
    ];
    for (text, expected) in cases {
        assert_eq!(code_of(text).trim(), expected.trim(), "{text}");
    }
}

#[test]
fn code_for_tests_is_no_production_code() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { {} }\n}\nfn c() {}\n\
                #[cfg(test)]\nmod more;\n";
    let source = Source::new("src/x/mod.rs", text);
    assert!(words(&source.production, "a").len() == 1 && words(&source.production, "c").len() == 1);
    assert!(words(&source.production, "b").is_empty());
    assert_eq!(test_modules_of(&source), ["src/x/more"]);
    assert_eq!(source.production.lines().count(), text.lines().count());
}

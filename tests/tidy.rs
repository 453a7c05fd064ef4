//! The house rules, read from the sources: which module may use which, how large things may be,
//! what has one place only. Every finding names file and line.

#[path = "tidy/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use source::{Source, line_of, match_brace, words};

// ---- The rules ---------------------------------------------------------------------------------

/// Floors: a module imports only from lower ones, never from its own (design §4).
///
/// `client` is not in the design's table: it stands on the protocol alone, beside `log`, and is
/// used by `cli`, by loadgen and by tests. `config` and `cli` share the top floor; there, the
/// second number orders them.
const RANKS: [(&str, (u8, u8)); 22] = [
    ("base", (0, 0)),
    ("reactor", (1, 0)),
    ("record", (1, 0)),
    ("metrics", (1, 0)),
    ("wire", (2, 0)),
    ("disk", (2, 0)),
    ("net", (2, 0)),
    ("mesh", (2, 0)),
    ("quota", (2, 0)),
    ("security", (2, 0)),
    ("log", (3, 0)),
    ("client", (3, 0)),
    ("shard", (4, 0)),
    ("catalog", (4, 0)),
    ("fanout", (5, 0)),
    ("service", (6, 0)),
    ("native", (7, 0)),
    ("gateway", (7, 0)),
    ("admin", (7, 0)),
    ("runtime", (8, 0)),
    ("config", (9, 0)),
    ("cli", (9, 1)),
];

/// Columns of a line.
const COLUMNS_MAX: usize = 100;
/// Lines of a function, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of a file that are neither blank nor comment.
const FILE_LINES_MAX: usize = 800;
/// Functions that are longer all the same, as `(file, function, lines)`. The list only gets
/// shorter: whoever shortens a function lowers its number or takes it out.
const LONG_FUNCTIONS: [(&str, &str, usize); 0] = [];

/// Words, the files that may use them (by the start of their path), and what to do elsewhere.
const ONE_PLACE: [(&str, &[&str], &str); 9] = [
    ("reactor", ON_CORES, "only disk, net, mesh and runtime know the executor"),
    ("async", WAITERS, "domain code is synchronous; the drivers wait for it"),
    ("unsafe", DRIVERS, "the drivers talk to the system"),
    ("SystemTime::now", CLOCKS, "the caller passes `now`"),
    ("Instant::now", CLOCKS, "the caller passes `now`"),
    ("getrandom", CLOCKS, "use base::rng"),
    ("std::fs", &["src/disk/", "src/config/", "src/cli/"], "disk has the files"),
    ("thread::sleep", &["src/cli/pause.rs"], "nothing else blocks a thread"),
    (".unwrap()", &[], "name the invariant: .expect(\"…\")"),
];
const ON_CORES: &[&str] =
    &["src/lib.rs", "src/reactor/", "src/disk/", "src/net/", "src/mesh/", "src/runtime/"];
const DRIVERS: &[&str] = &["src/reactor/", "src/disk/", "src/net/", "src/mesh/", "src/runtime/"];
const WAITERS: &[&str] = &[
    "src/reactor/",
    "src/disk/",
    "src/net/",
    "src/mesh/",
    "src/gateway/api.rs",
    "src/gateway/caller.rs",
    "src/gateway/http/",
    "src/gateway/operations/",
    "src/runtime/",
];
const CLOCKS: &[&str] = &[
    "src/base/clock.rs",
    "src/base/rng.rs",
    "src/reactor/",
    "src/disk/",
    "src/net/",
    "src/mesh/",
    "src/runtime/",
    "src/client/",
    "src/cli/",
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];

// ---- The tests ---------------------------------------------------------------------------------

#[test]
fn modules_use_only_lower_floors() {
    report(library().iter().flat_map(imports).collect());
}

#[test]
fn the_crate_map_lists_the_modules_that_exist() {
    let map = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let directories = std::fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    report(crate_map(&map, &directories));
}

#[test]
fn lines_functions_and_files_are_short() {
    let all = everything();
    let mut findings: Vec<_> = all.iter().flat_map(wide_lines).collect();
    findings.extend(long_functions(&all, &LONG_FUNCTIONS));
    findings.extend(all.iter().flat_map(long_file));
    report(findings);
}

#[test]
fn names_say_what_is_inside() {
    report(everything().iter().flat_map(empty_names).collect());
}

#[test]
fn tests_are_named_by_what_they_show() {
    report(everything().iter().flat_map(prefixed_tests).collect());
}

#[test]
fn what_has_one_place_is_used_there_only() {
    report(library().iter().flat_map(misplaced).collect());
}

/// Fails with every finding, one a line.
fn report(mut findings: Vec<Finding>) {
    findings.sort();
    let lines: Vec<_> =
        findings.iter().map(|f| format!("{}:{}: {}", f.path, f.line, f.what)).collect();
    assert!(lines.is_empty(), "{} findings\n{}\n", lines.len(), lines.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn library() -> Vec<Source> {
    Source::read_all(root(), &["src"])
}

fn everything() -> Vec<Source> {
    Source::read_all(root(), &["src", "tests", "benches", "loadgen"])
}

// ---- The checkers ------------------------------------------------------------------------------

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(source: &Source, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: source.path.clone(), line, what: what.into() }
    }
}

fn rank(module: &str) -> Option<(u8, u8)> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

/// Whether `user` may import from `used`.
fn may_use(user: &str, used: &str) -> bool {
    user == used
        || match (rank(user), rank(used)) {
            (Some(user), Some(used)) => user > used,
            _ => false,
        }
}

/// Every `crate::` path that leads to the same floor or a higher one.
fn imports(source: &Source) -> Vec<Finding> {
    let Some(module) = source.module() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (at, _) in words(&source.code, "crate") {
        let Some(path) = source.code[at..].strip_prefix("crate::") else { continue };
        for used in first_segments(path) {
            if !may_use(module, &used) {
                let what = format!("`{module}` may not use `{used}`: it is no lower floor");
                findings.push(Finding::new(source, line_of(&source.code, at), what));
            }
        }
    }
    findings
}

/// The modules that a path behind `crate::` starts with: one, or those of a `{…}` group.
fn first_segments(path: &str) -> Vec<String> {
    let identifier =
        |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(group) = path.strip_prefix('{') else {
        return vec![identifier(path)];
    };
    let (mut depth, mut segments, mut start) = (0, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                segments.push(identifier(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    segments.retain(|segment| !segment.is_empty());
    segments
}

/// Rows `//! | rank | `module` | …` against the directories of `src`, and against the ranks here.
fn crate_map(text: &str, directories: &BTreeSet<String>) -> Vec<Finding> {
    let finding = |line: usize, what: String| Finding { path: "src/lib.rs".to_owned(), line, what };
    let (mut findings, mut listed) = (Vec::new(), BTreeMap::new());
    for (index, row) in text.lines().enumerate() {
        let Some(row) = row.strip_prefix("//! |") else { continue };
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let Ok(floor) = cells[0].parse::<u8>() else { continue };
        let names = cells.get(1).unwrap_or(&"").split('`').skip(1).step_by(2);
        for name in names.filter(|name| !matches!(*name, "main" | "lib")) {
            listed.insert(name.to_owned(), index + 1);
            if rank(name).map(|(floor, _)| floor) != Some(floor) {
                let what = format!("`{name}` is not of rank {floor} in tests/tidy.rs");
                findings.push(finding(index + 1, what));
            }
        }
    }
    for (name, line) in &listed {
        if !directories.contains(name) {
            findings.push(finding(*line, format!("the map lists `{name}`, which does not exist")));
        }
    }
    for name in directories.iter().filter(|name| !listed.contains_key(*name)) {
        findings.push(finding(1, format!("the map does not list `{name}`")));
    }
    findings
}

fn wide_lines(source: &Source) -> Vec<Finding> {
    let columns = source.text.lines().map(|line| line.chars().count()).enumerate();
    columns
        .filter(|(_, columns)| *columns > COLUMNS_MAX)
        .map(|(index, columns)| {
            Finding::new(source, index + 1, format!("{columns} columns, {COLUMNS_MAX} are allowed"))
        })
        .collect()
}

/// Functions above the bound, except those of the ratchet; and entries of the ratchet that are no
/// longer true.
fn long_functions(sources: &[Source], allowed: &[(&str, &str, usize)]) -> Vec<Finding> {
    let (mut findings, mut met) = (Vec::new(), BTreeSet::new());
    for source in sources {
        for (at, name, lines) in functions(&source.code) {
            let allowance = allowed.iter().find(|(path, f, _)| *path == source.path && *f == name);
            let max = match allowance {
                Some((path, f, lines)) => {
                    met.insert((*path, *f));
                    *lines
                }
                None => FUNCTION_LINES_MAX,
            };
            let line = line_of(&source.code, at);
            if lines > max {
                let what = format!("`{name}` has {lines} lines, {max} are allowed");
                findings.push(Finding::new(source, line, what));
            } else if allowance.is_some() && lines < max {
                let what = format!("`{name}` has only {lines} lines now: update LONG_FUNCTIONS");
                findings.push(Finding::new(source, line, what));
            }
        }
    }
    for (path, name, _) in allowed.iter().filter(|(path, name, _)| !met.contains(&(*path, *name))) {
        let what = format!("`{name}` is gone: take it out of LONG_FUNCTIONS");
        findings.push(Finding { path: (*path).to_owned(), line: 1, what });
    }
    findings
}

/// Offset, name and number of lines of every function with a body.
fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let mut all = Vec::new();
    for (at, end) in words(code, "fn") {
        let name: String = code[end..]
            .trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let mut nesting = 0i32;
        // `fn(…)` is a type; a signature that meets `;` first has no body.
        let body = code[end..].char_indices().find_map(|(offset, c)| {
            nesting += i32::from(matches!(c, '(' | '[')) - i32::from(matches!(c, ')' | ']'));
            (nesting == 0 && matches!(c, '{' | ';')).then_some((end + offset, c))
        });
        if let (false, Some((open, '{'))) = (name.is_empty(), body) {
            let close = match_brace(code, open);
            all.push((at, name, line_of(code, close) - line_of(code, at) + 1));
        }
    }
    all
}

fn long_file(source: &Source) -> Option<Finding> {
    let lines = source.code.lines().filter(|line| !line.trim().is_empty()).count();
    (lines > FILE_LINES_MAX).then(|| {
        Finding::new(source, 1, format!("{lines} lines of code, {FILE_LINES_MAX} are allowed"))
    })
}

fn empty_names(source: &Source) -> Vec<Finding> {
    let parts = source.path.trim_end_matches(".rs").split('/');
    let paths = parts.filter(|part| EMPTY_NAMES.contains(part)).map(|part| (1, part));
    let modules = EMPTY_NAMES.iter().flat_map(|name| {
        words(&source.code, name)
            .into_iter()
            .filter(|(at, _)| source.code[..*at].ends_with("mod "))
            .map(|(at, _)| (line_of(&source.code, at), *name))
    });
    paths
        .chain(modules)
        .map(|(line, name)| {
            Finding::new(source, line, format!("`{name}` does not say what is inside"))
        })
        .collect()
}

fn prefixed_tests(source: &Source) -> Vec<Finding> {
    functions(&source.code)
        .into_iter()
        .filter(|(at, name, _)| name.starts_with("test_") && is_test(&source.code[..*at]))
        .map(|(at, name, _)| {
            let what = format!("`{name}`: name a test by what it shows, without `test_`");
            Finding::new(source, line_of(&source.code, at), what)
        })
        .collect()
}

/// Whether the attributes at the end of `before` make a test of the function that follows.
fn is_test(before: &str) -> bool {
    let attributes = before.lines().rev().take_while(|line| line.trim().starts_with("#["));
    attributes.into_iter().any(|line| line.contains("test]"))
}

/// Uses of the words of [`ONE_PLACE`] outside of their places and outside of tests.
fn misplaced(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (word, places, instead) in ONE_PLACE {
        if places.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        for (at, _) in words(&source.production, word) {
            let line = line_of(&source.production, at);
            findings.push(Finding::new(source, line, format!("`{word}` here: {instead}")));
        }
    }
    findings
}

// ---- Each rule fails where it should -----------------------------------------------------------

/// What `check` finds in a file of this text: lines and sentences.
fn found(
    path: &str,
    text: &str,
    check: impl FnOnce(&Source) -> Vec<Finding>,
) -> Vec<(usize, String)> {
    check(&Source::new(path, text)).into_iter().map(|f| (f.line, f.what)).collect()
}

fn lines_found(path: &str, text: &str, check: impl FnOnce(&Source) -> Vec<Finding>) -> Vec<usize> {
    found(path, text, check).into_iter().map(|(line, _)| line).collect()
}

#[test]
fn an_import_from_a_higher_or_the_same_floor_is_found() {
    let text = "use crate::base::ids;\nuse crate::{\n    record::View,\n    log::{self, a},\n};\n\
                // crate::runtime\nfn f() { crate::shard::g(); }\n\
                pub(in crate::wire) fn h() {}\nconst S: &str = \"crate::runtime\";\n";
    let findings = found("src/wire/x.rs", text, imports);
    assert_eq!(
        findings,
        [
            (2, "`wire` may not use `log`: it is no lower floor".to_owned()),
            (7, "`wire` may not use `shard`: it is no lower floor".to_owned()),
        ]
    );
    assert_eq!(lines_found("src/wire/x.rs", "use crate::disk::File;", imports), [1]);
    assert_eq!(lines_found("src/new/x.rs", "use crate::base::ids;", imports), [1], "no rank yet");
    assert_eq!(lines_found("src/config/x.rs", "use crate::cli::X;", imports), [1]);
    assert!(lines_found("src/cli/x.rs", "use crate::config::X;", imports).is_empty());
    assert!(lines_found("src/main.rs", "use crate::runtime::X;", imports).is_empty());
}

#[test]
fn a_crate_map_that_has_rotted_is_found() {
    let directories = BTreeSet::from(["base".to_owned(), "wire".to_owned()]);
    let good = "//! | rank | module | what |\n//! |---:|---|---|\n//! | 0 | `base` | ids |\n\
                //! | 2 | `wire` | the `Put` |\n";
    assert_eq!(crate_map(good, &directories), []);
    let rotten = "//! | 0 | `base` | ids |\n//! | 1 | `wire` `disk` | both |\n";
    let lines: Vec<_> = crate_map(rotten, &directories).iter().map(|f| f.line).collect();
    assert_eq!(lines, [2, 2, 2], "wrong rank twice, and disk does not exist");
    assert_eq!(crate_map("", &directories).len(), 2, "neither is listed");
}

#[test]
fn a_wide_line_is_found_and_counted_in_characters() {
    let text = format!("{}\n{}\n", "é".repeat(100), "x".repeat(101));
    assert_eq!(lines_found("src/a.rs", &text, wide_lines), [2]);
}

#[test]
fn a_long_function_is_found_and_the_ratchet_only_tightens() {
    let body = |lines: usize| format!("\nfn long<T>(x: [u8; 3])\n{{{}}}\n", "\n".repeat(lines - 2));
    let source = Source::new("src/a.rs", &(body(71) + "fn short() { fn_like(); }\ntype F = fn();"));
    let check = |allowed: &[(&str, &str, usize)]| {
        let found = long_functions(std::slice::from_ref(&source), allowed);
        found.into_iter().map(|f| (f.line, f.what)).collect::<Vec<_>>()
    };
    assert_eq!(check(&[]), [(2, "`long` has 71 lines, 70 are allowed".to_owned())]);
    assert_eq!(check(&[("src/a.rs", "long", 71)]), []);
    assert!(check(&[("src/a.rs", "long", 72)])[0].1.contains("only 71"));
    assert!(check(&[("src/a.rs", "long", 71), ("src/a.rs", "old", 90)])[0].1.contains("gone"));
}

#[test]
fn a_long_file_is_found_without_its_comments() {
    let code = |lines| "let x = 1;\n// why\n\n".repeat(lines);
    let check = |source: &Source| long_file(source).into_iter().collect();
    assert_eq!(lines_found("src/a.rs", &code(800), check), []);
    assert_eq!(lines_found("src/a.rs", &code(801), check), [1]);
}

#[test]
fn an_empty_name_is_found() {
    assert_eq!(lines_found("src/wire/utils.rs", "", empty_names), [1]);
    assert_eq!(lines_found("src/common/x.rs", "", empty_names), [1]);
    assert_eq!(lines_found("src/a.rs", "\npub mod helpers;\nlet common = 1;", empty_names), [2]);
}

#[test]
fn a_prefixed_test_is_found() {
    let text = "#[test]\nfn test_put() {}\n#[test]\nfn puts_are_tested() {}\nfn test_data() {}\n";
    assert_eq!(lines_found("src/a.rs", text, prefixed_tests), [2]);
}

#[test]
fn words_out_of_their_place_are_found_outside_of_tests() {
    let text = "use crate::reactor::Task;\nlet t = Instant::now();\nlet t = SystemTime::now();\n\
                getrandom::fill(x);\nstd::thread::sleep(t);\nx.unwrap();\n\
                #[cfg(test)]\nmod tests {\n    fn f() { x.unwrap(); Instant::now(); }\n}\n\
                x.unwrap_or(1); // unwrap()\n";
    assert_eq!(lines_found("src/shard/a.rs", text, misplaced), [1, 3, 2, 4, 5, 6]);
    assert_eq!(lines_found("src/disk/a.rs", text, misplaced), [5, 6]);
    assert_eq!(lines_found("src/cli/pause.rs", text, misplaced), [1, 6]);
    assert!(lines_found("src/shard/tests.rs", text, misplaced).is_empty());
}

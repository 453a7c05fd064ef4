//! A page that needs nothing but itself: no scripts, no outside files; light, dark and printed.

const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--faint:#8a929c;--line:#d5dae0;\
--worse:#c0392b;--better:#1e8449;--same:#4a6fa5}\
@media(prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e6e9ed;--faint:#8a929c;\
--line:#343b44;--worse:#ff7b6b;--better:#5fd38d;--same:#8fb4e8}}\
@media print{:root{--paper:#fff;--ink:#000;--faint:#666;--line:#bbb;--worse:#a00;--better:#060;\
--same:#036}section{break-inside:avoid}}\
body{background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;max-width:60rem;\
margin:2rem auto;padding:0 1rem}\
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:2rem 0 .3rem}p{margin:.4rem 0}\
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
td,th{padding:.2rem .7rem;text-align:right;border-bottom:1px solid var(--line)}\
td:first-child,th:first-child{text-align:left}th{font-weight:600}\
.worse{color:var(--worse);font-weight:600}.better{color:var(--better);font-weight:600}\
.faint{color:var(--faint)}.verdict{font-size:1.1rem;border-left:4px solid var(--same);\
padding:.3rem .8rem}.verdict.worse{border-color:var(--worse)}\
.verdict.better{border-color:var(--better)}\
svg{width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--ink)}\
svg .faint{fill:var(--faint)}svg line{stroke:var(--line)}svg .axis{stroke:var(--faint)}\
svg .dot{fill:var(--faint);opacity:.55}svg .same{stroke:var(--same);fill:var(--same)}\
svg .worse{stroke:var(--worse);fill:var(--worse)}svg .better{stroke:var(--better);\
fill:var(--better)}svg .path{fill:none;stroke:var(--faint);stroke-width:1}\
svg .level{stroke-width:2.5}svg text.worse,svg text.better{stroke:none}";

/// A whole page.
#[must_use]
pub fn document(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{body}\
         </body></html>\n"
    )
}

/// Text as HTML shows it.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Text that stays on one line.
#[must_use]
pub fn unbroken(text: &str) -> String {
    escape(text).replace(' ', "\u{a0}")
}

/// A table.
#[must_use]
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |tag: &str, cells: &mut dyn Iterator<Item = String>| -> String {
        cells.map(|cell| format!("<{tag}>{cell}</{tag}>")).collect()
    };
    let head = cells("th", &mut header.iter().map(|text| escape(text)));
    let body: String = rows
        .iter()
        .map(|row| format!("<tr>{}</tr>\n", cells("td", &mut row.iter().cloned())))
        .collect();
    format!("<div class=\"scroll\"><table><tr>{head}</tr>\n{body}</table></div>\n")
}

/// A straight stretch of numbers on a straight stretch of a drawing.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// The numbers' ends.
    pub from: (f64, f64),
    /// The drawing's.
    pub to: (f64, f64),
}

impl Scale {
    /// Where a number lies; those outside lie at the end.
    #[must_use]
    pub fn at(&self, value: f64) -> f64 {
        let (low, high) = self.from;
        let share = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 };
        self.to.0 + share * (self.to.1 - self.to.0)
    }

    /// Four to ten round numbers within.
    #[must_use]
    pub fn ticks(&self) -> Vec<f64> {
        let (low, high) = self.from;
        let span = high - low;
        if span <= 0.0 || !span.is_finite() {
            return vec![low];
        }
        let power = 10.0_f64.powf((span / 5.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power);
        let step = step.into_iter().find(|step| span / step <= 8.0).unwrap_or(10.0 * power);
        let first = (low / step).ceil() as i64;
        let last = (high / step).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_can_become_markup() {
        let page = document("<b>", &table(&["a&b"], &[vec![escape("\"<script>\"")]]));
        assert!(!page.contains("<script") && !page.contains("<title><b>"), "{page}");
        assert!(page.contains("a&amp;b") && page.contains("&quot;&lt;script&gt;&quot;"));
    }

    #[test]
    fn a_page_asks_for_nothing_from_outside() {
        let page = document("x", "");
        assert!(!page.contains("http") && !page.contains("url(") && !page.contains("@import"));
    }

    #[test]
    fn ticks_are_round_and_within() {
        let ticks = |low, high| Scale { from: (low, high), to: (0.0, 1.0) }.ticks();
        assert_eq!(ticks(-7.0, 12.0), [-5.0, 0.0, 5.0, 10.0]);
        assert_eq!(ticks(3.0, 3.0), [3.0]);
        assert!((4..=10).contains(&ticks(0.0, 0.37).len()));
        let scale = Scale { from: (0.0, 10.0), to: (100.0, 0.0) };
        assert_eq!((scale.at(2.5), scale.at(99.0)), (75.0, 0.0));
    }
}

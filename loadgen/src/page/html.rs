//! Pieces of HTML.

/// `text` where markup is expected.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A table. Cells are markup already.
#[must_use]
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = "<div class=\"wide\"><table>\n<tr>".to_owned();
    header.iter().for_each(|cell| html += &format!("<th>{}</th>", escape(cell)));
    html += "</tr>\n";
    for row in rows {
        html += "<tr>";
        row.iter().for_each(|cell| html += &format!("<td>{cell}</td>"));
        html += "</tr>\n";
    }
    html + "</table></div>\n"
}

/// A number with a comma between thousands.
#[must_use]
pub fn grouped(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_name_is_shown_and_not_obeyed() {
        assert_eq!(escape("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }

    #[test]
    fn thousands_are_apart() {
        let shown = [3.25, 512.0, 1_000.0, 402_113.4, 12_345_678.0].map(grouped);
        assert_eq!(shown, ["3.2", "512", "1,000", "402,113", "12,345,678"]);
    }
}

//! A line chart as SVG: it scales, prints, and takes its colours from the page.

use std::fmt::Write;

use super::html::escape;

/// Width of a chart in its own units.
const WIDTH: f64 = 640.0;
/// Height without the legend.
const HEIGHT: f64 = 280.0;
/// Room for the labels of the y axis.
const LEFT: f64 = 70.0;
/// Room for those of the x axis.
const BOTTOM: f64 = 42.0;
/// Room at the other sides.
const MARGIN: f64 = 12.0;
/// Height of a line of the legend.
const LEGEND_LINE: f64 = 17.0;
/// Colours that the page has; line n takes colour n modulo this.
pub const COLOURS: usize = 8;

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from zero on.
    Linear,
    /// By powers of ten.
    Log,
}

/// An axis.
#[derive(Clone, Copy)]
pub struct Axis {
    /// What it shows.
    pub title: &'static str,
    /// How.
    pub scale: Scale,
    /// A value in words.
    pub label: fn(f64) -> String,
    /// A bound that is shown in any case.
    pub at_least: Option<f64>,
}

/// Points, joined where they are more than one. A gap separates what is not joined.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// The points; none is a gap.
    pub points: Vec<Option<(f64, f64)>>,
    /// Whether each point has a mark.
    pub marks: bool,
}

/// Lines over two axes.
pub struct Chart {
    /// What it shows, for readers who cannot see it.
    pub title: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// The lines.
    pub lines: Vec<Line>,
}

/// Where the values of an axis are.
struct Span {
    scale: Scale,
    low: f64,
    high: f64,
    /// Position of the low end, and of the high one.
    ends: (f64, f64),
}

impl Span {
    fn of(axis: &Axis, values: impl Iterator<Item = f64>, ends: (f64, f64)) -> Option<Span> {
        let fits = |v: &f64| v.is_finite() && (axis.scale == Scale::Linear || *v > 0.0);
        let values: Vec<f64> = values.chain(axis.at_least).filter(fits).collect();
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        if values.is_empty() {
            return None;
        }
        let (low, high) = match axis.scale {
            Scale::Linear => (0.0, if high > 0.0 { high * 1.05 } else { 1.0 }),
            // Whole decades would waste half of the room: a little air is enough.
            Scale::Log => (low / 1.3, high * 1.3),
        };
        Some(Span { scale: axis.scale, low, high, ends })
    }

    fn position(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        self.ends.0 + share * (self.ends.1 - self.ends.0)
    }

    fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = round_step((self.high - self.low) / 5.0);
                (0..=10).map(|n| f64::from(n) * step).filter(|tick| *tick <= self.high).collect()
            }
            Scale::Log => {
                let all = decades(self.low, self.high, &[1.0]);
                // Less than two decades need ticks in between.
                if all.len() >= 3 { all } else { decades(self.low, self.high, &[1.0, 2.0, 5.0]) }
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let found = [1.0, 2.0, 5.0].map(|n| n * power).into_iter().find(|n| *n >= step);
    found.unwrap_or(10.0 * power)
}

fn decades(low: f64, high: f64, steps: &[f64]) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let ticks = (first..=last).flat_map(|n| steps.iter().map(move |step| step * 10f64.powi(n)));
    ticks.filter(|tick| (low..=high).contains(tick)).collect()
}

impl Chart {
    /// As SVG; none without a point.
    #[must_use]
    pub fn svg(&self) -> Option<String> {
        let points = || self.lines.iter().flat_map(|line| line.points.iter().flatten());
        let x = Span::of(&self.x, points().map(|p| p.0), (LEFT, WIDTH - MARGIN))?;
        let y = Span::of(&self.y, points().map(|p| p.1), (HEIGHT - BOTTOM, MARGIN))?;
        let height = HEIGHT + LEGEND_LINE * self.lines.len() as f64;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n",
            escape(&self.title)
        );
        self.draw_axes(&mut svg, &x, &y);
        for (at, line) in self.lines.iter().enumerate() {
            let class = at % COLOURS;
            draw_line(&mut svg, line, class, &x, &y);
            let top = HEIGHT + LEGEND_LINE * at as f64 + 4.0;
            let _ = writeln!(
                svg,
                "<rect class=\"f{class}\" x=\"{LEFT}\" y=\"{:.1}\" width=\"14\" height=\"4\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                top - 2.0,
                LEFT + 20.0,
                top + 4.0,
                escape(&line.name)
            );
        }
        svg.push_str("</svg>\n");
        Some(svg)
    }

    fn draw_axes(&self, svg: &mut String, x: &Span, y: &Span) {
        let (right, bottom) = (WIDTH - MARGIN, HEIGHT - BOTTOM);
        for tick in x.ticks() {
            let at = x.position(tick);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{MARGIN}\" x2=\"{at:.1}\" \
                 y2=\"{bottom}\"/><text class=\"mid\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
                bottom + 14.0,
                escape(&(self.x.label)(tick))
            );
        }
        for tick in y.ticks() {
            let at = y.position(tick);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" \
                 y2=\"{at:.1}\"/><text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 6.0,
                at + 4.0,
                escape(&(self.y.label)(tick))
            );
        }
        let middle = f64::midpoint(LEFT, right);
        let _ = writeln!(
            svg,
            "<text class=\"mid title\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"mid title\" transform=\"translate(12 {:.1}) rotate(-90)\">{}</text>",
            HEIGHT - 10.0,
            escape(self.x.title),
            f64::midpoint(MARGIN, bottom),
            escape(self.y.title)
        );
    }
}

fn draw_line(svg: &mut String, line: &Line, class: usize, x: &Span, y: &Span) {
    let drawable = |p: &(f64, f64)| {
        (x.scale == Scale::Linear || p.0 > 0.0) && (y.scale == Scale::Linear || p.1 > 0.0)
    };
    for run in line.points.split(Option::is_none) {
        let run = run.iter().flatten().filter(|p| drawable(p));
        let at: Vec<(f64, f64)> = run.map(|p| (x.position(p.0), y.position(p.1))).collect();
        if at.len() > 1 {
            let text: Vec<String> = at.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let points = text.join(" ");
            let _ = writeln!(svg, "<polyline class=\"s{class}\" points=\"{points}\"/>");
        }
        // A point with gaps on both sides would otherwise not be seen.
        if line.marks || at.len() == 1 {
            for (x, y) in at {
                let _ = writeln!(
                    svg,
                    "<circle class=\"f{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale) -> Axis {
        Axis { title: "t", scale, label: |v| v.to_string(), at_least: None }
    }

    fn chart(scale: Scale, points: Vec<Option<(f64, f64)>>) -> Chart {
        let line = Line { name: "a < b".to_owned(), points, marks: false };
        let title = "x & y".to_owned();
        Chart { title, x: axis(Scale::Linear), y: axis(scale), lines: vec![line] }
    }

    #[test]
    fn a_gap_parts_a_line_and_a_lonely_point_is_a_mark() {
        let points = vec![Some((0.0, 1.0)), Some((1.0, 2.0)), None, Some((3.0, 4.0))];
        let svg = chart(Scale::Linear, points).svg().expect("points");
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(svg.contains("a &lt; b") && svg.contains("x &amp; y"), "{svg}");
    }

    #[test]
    fn a_logarithmic_axis_has_a_tick_for_each_power_of_ten_and_no_zero() {
        let points = vec![Some((0.0, 0.0)), Some((1.0, 10.0)), Some((2.0, 100_000.0))];
        let svg = chart(Scale::Log, points).svg().expect("points");
        for tick in [">10<", ">100<", ">1000<", ">10000<", ">100000<"] {
            assert!(svg.contains(tick), "{tick} in {svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn nothing_to_show_is_no_chart() {
        assert_eq!(chart(Scale::Linear, vec![None]).svg(), None);
        assert_eq!(chart(Scale::Log, vec![Some((1.0, 0.0))]).svg(), None);
    }

    #[test]
    fn steps_are_round() {
        assert_eq!([0.7, 1.0, 13.0, 4.0, 600.0].map(round_step), [1.0, 1.0, 20.0, 5.0, 1000.0]);
    }
}

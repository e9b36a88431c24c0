//! One run as a section of a page: goals, ratios, and a table for each pair.
//!
//! Not here: where the page is. Invariant: a section replaces the one with its heading and nothing
//! else.

use super::goal;
use super::summary::{Measure, Summary};
use super::tool::Tool;
use super::trial::Trial;
use crate::real::{median, real};
use std::fmt::Write as _;

/// The heading of the section.
pub const HEADING: &str = "## Delta patches";

/// What a reader has to know of the run.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// What it ran on, and how.
    pub machine: String,
    /// What it compared.
    pub corpus: String,
    /// Versions of the tools.
    pub tools: String,
    /// Where the chart is, relative to the page.
    pub chart: Option<String>,
}

/// The section.
#[must_use]
pub fn section(summary: &Summary<'_>, around: &Surroundings) -> String {
    let mut text = format!("{HEADING}\n");
    let _ = writeln!(text, "`cargo xtask bench delta`, all of it in one run. {}\n", around.machine);
    let _ = writeln!(text, "Corpus: {}\n", around.corpus);
    let _ = writeln!(text, "Tools: {}\n", around.tools);
    text.push_str(READING);
    if let Some(chart) = &around.chart {
        let _ = writeln!(text, "\n![Size of patches against ours, for each pair]({chart})");
    }
    goals(&mut text, summary);
    ratios(&mut text, summary);
    for pair in summary.pairs() {
        table(&mut text, summary, pair);
    }
    text
}

const READING: &str = "\
Each tool has 600 s of processor time for a step; one that takes longer is stopped. Each patch was applied and the result compared byte by byte with the new image before its figures count. Times are processor \
seconds of user and kernel, the least and (behind the stroke) the median of the rounds; memory is the peak of the largest process. \
HDiffPatch runs as a Python package that holds both images in memory, so its memory is not that of a device. zchunk needs a web server to apply; its size is what its \
own tool says. Peers' patches hold no digest of what comes out (HDiffPatch, xdelta3 and zstd hold a checksum); ours holds SHA-256 of both images and of the payload of each window.
";

fn goals(text: &mut String, summary: &Summary<'_>) {
    text.push_str("\n### Goals\n| goal | found | |\n|---|---|---|\n");
    for goal in goal::judged(summary) {
        let _ = writeln!(text, "| {} | {} | {} |", goal.wanted, goal.found, goal.verdict.word());
    }
}

fn ratios(text: &mut String, summary: &Summary<'_>) {
    text.push_str(
        "\n### Ours against each tool\nOurs by suffix array divided by the tool; geometric mean over the pairs that both managed.\n\n\
         | tool | size | best | worst | pairs | sampled, size | build time | apply time |\n|---|---|---|---|---|---|---|---|\n",
    );
    for peer in Tool::ALL.into_iter().filter(|tool| *tool != Tool::Suffix) {
        let Some(size) = summary.ratios(Tool::Suffix, peer, Measure::Size) else { continue };
        let mean = |tool, measure| {
            let ratios = summary.ratios(tool, peer, measure);
            ratios.map_or("–".to_owned(), |ratios| format!("{:.2}", ratios.mean))
        };
        let _ = writeln!(
            text,
            "| {} | **{:.3}** | {:.2} ({}) | {:.2} ({}) | {} | {} | {} | {} |",
            peer.title(),
            size.mean,
            size.best.value,
            size.best.pair,
            size.worst.value,
            size.worst.pair,
            size.all.len(),
            mean(Tool::Sampled, Measure::Size),
            mean(Tool::Suffix, Measure::BuildTime),
            mean(Tool::Suffix, Measure::ApplyTime),
        );
    }
}

fn table(text: &mut String, summary: &Summary<'_>, pair: &str) {
    let trials: Vec<&Trial> =
        Tool::ALL.into_iter().filter_map(|tool| summary.trial(pair, tool)).collect();
    let Some(first) = trials.first() else { return };
    let (old, new) = (grouped(first.old_bytes), grouped(first.new_bytes));
    let _ = writeln!(text, "\n### {pair}: {old} → {new} bytes");
    text.push_str(
        "| tool | patch, bytes | ours / tool | build, s | build, MiB | apply, s | apply, MiB |\n|---|---|---|---|---|---|---|\n",
    );
    for trial in trials {
        let _ = writeln!(text, "{}", row(summary, trial));
    }
}

fn row(summary: &Summary<'_>, trial: &Trial) -> String {
    let size = trial.patch_bytes.map_or("–".to_owned(), grouped);
    let ratio = summary.ratio(&trial.pair, Tool::Suffix, trial.tool, Measure::Size);
    let ratio = ratio.filter(|_| trial.tool != Tool::Suffix);
    let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.3}"));
    let memory = |measure: Measure| {
        measure
            .of(trial)
            .map_or("–".to_owned(), |bytes| format!("{:.1}", bytes / 1024.0 / 1024.0))
    };
    let build = time(Measure::BuildTime.of(trial), &trial.build, 2);
    let apply = time(Measure::ApplyTime.of(trial), &trial.apply, 3);
    let (build_memory, apply_memory) = (memory(Measure::BuildMemory), memory(Measure::ApplyMemory));
    let fault =
        trial.fault.as_deref().map_or(String::new(), |fault| format!(" **failed**: {fault}"));
    format!(
        "| {}{fault} | {size} | {ratio} | {build} | {build_memory} | {apply} | {apply_memory} |",
        trial.tool.title()
    )
}

fn time(least: Option<f64>, costs: &[super::measure::Cost], digits: usize) -> String {
    let Some(least) = least else { return "–".to_owned() };
    let middle = median(&costs.iter().map(|cost| cost.cpu_s).collect::<Vec<_>>());
    match middle.filter(|_| costs.len() > 1) {
        Some(middle) => format!("{least:.digits$} / {middle:.digits$}"),
        None => format!("{least:.digits$}"),
    }
}

/// `58,234,880`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Megabytes per second, for a line to people.
#[must_use]
pub fn speed(bytes: u64, seconds: f64) -> String {
    format!("{:.0} MB/s", real(bytes) / seconds.max(1e-9) / 1e6)
}

/// The page with this section in the place of the one with the same heading, or at its end.
#[must_use]
pub fn placed(page: &str, section: &str) -> String {
    let lines: Vec<&str> = page.lines().collect();
    let heading = section.lines().next().unwrap_or(HEADING);
    let start = lines.iter().position(|line| *line == heading).unwrap_or(lines.len());
    let rest = lines.iter().skip(start.saturating_add(1));
    let length = rest.take_while(|line| !line.starts_with("## ")).count();
    let after = lines.iter().skip(start.saturating_add(1).saturating_add(length));
    let mut text = String::new();
    for line in lines.iter().take(start) {
        let _ = writeln!(text, "{line}");
    }
    if start == lines.len() {
        text.push('\n');
    }
    let _ = writeln!(text, "{}", section.trim_end());
    for (at, line) in after.enumerate() {
        let _ = writeln!(text, "{}{line}", if at == 0 { "\n" } else { "" });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::trial;
    use super::*;

    #[test]
    fn only_the_section_is_replaced() {
        let page = "# Results\n\n## One\na\n\n## Delta patches\nold\n### x\nold\n\n## Last\nz\n";
        let placed = placed(page, "## Delta patches\nnew\n");
        assert_eq!(placed, "# Results\n\n## One\na\n\n## Delta patches\nnew\n\n## Last\nz\n");
        assert_eq!(super::placed(&placed, "## Delta patches\nnew\n"), placed);
    }

    #[test]
    fn a_page_without_the_section_gets_it() {
        assert_eq!(
            placed("# Results\n", "## Delta patches\nnew\n"),
            "# Results\n\n## Delta patches\nnew\n"
        );
    }

    #[test]
    fn a_tool_that_failed_is_in_the_table_with_its_reason() {
        let mut failed = trial("a", Tool::Bsdiff, 100);
        (failed.patch_bytes, failed.fault) = (None, Some("killed".to_owned()));
        let trials = [trial("a", Tool::Suffix, 1_234_567), failed];
        let text = section(&Summary::new(&trials), &Surroundings::default());
        assert!(text.contains("| bsdiff 4.3 **failed**: killed | – |"), "{text}");
        assert!(text.contains("1,234,567"), "{text}");
    }
}

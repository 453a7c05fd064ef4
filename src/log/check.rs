//! Examines every byte of a stopped data directory and reports what is wrong. Changes nothing.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::base::ids::{Millis, Seq, ShardKey, StreamUuid};
use crate::disk::blocking;
use crate::log::damage::Damage;
use crate::log::expected::Expected;
use crate::log::identity::Identity;
use crate::log::index::SegmentIndex;
use crate::log::inspect::IdentityReport;
use crate::log::layout;
use crate::log::offline::{OfflineError, open_stopped, shard_name};
use crate::log::progress::Progress;
use crate::log::recovery::{self, Survey};
use crate::log::segment_scan::{ScanEnd, SegmentExpect, SegmentScan, scan_segment};

mod unknown;

/// What to examine.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// Only the segments of this stream; the journals are read all the same.
    pub stream: Option<StreamUuid>,
    /// What should be there, by the catalog.
    pub expected: Expected,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Normal after a crash; the next start deals with it.
    Note,
    /// Harmless for the records, and not as it should be.
    Warning,
    /// Durable data is missing or changed.
    Damage,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// Where.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

/// The totals of a shard's segments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShardTotals {
    /// The stream's uuid.
    pub stream: String,
    /// The shard, as AWS writes it.
    pub shard: String,
    /// Segment files.
    pub segments: u64,
    /// Whole batches.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// First sequence that exists.
    pub first: Seq,
    /// Behind the last sequence, with what the journals will add.
    pub end: Seq,
    /// When the first record arrived; `None` without records.
    pub first_arrival: Option<Millis>,
    /// When the last one did.
    pub last_arrival: Option<Millis>,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The directory.
    pub data_dir: PathBuf,
    /// Its identity file.
    pub identity: IdentityReport,
    /// Whole commits in the journals.
    pub commits: u64,
    /// Shards in order.
    pub shards: Vec<ShardTotals>,
    /// The worst first.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether no durable data is missing or changed.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|f| f.severity < Severity::Damage)
    }
}

/// Examines a stopped data directory.
pub fn check(
    data_dir: &Path,
    options: &CheckOptions,
    progress: &mut dyn Progress,
) -> Result<CheckReport, OfflineError> {
    let stopped = open_stopped(data_dir)?;
    let identity = stopped.identity;
    let CheckOptions { stream, expected } = options;
    let survey = recovery::survey(data_dir, &identity, *stream, expected, progress)?;
    let mut check = Check { identity, findings: Vec::new() };
    check.survey(&survey);
    let mut shards = Vec::new();
    progress.message("reading every batch");
    for &key in survey.shards.keys() {
        shards.push(check.shard(data_dir, key, &survey, progress)?);
    }
    check.findings.extend(unknown::findings(data_dir, &identity, expected)?);
    let mut findings = check.findings;
    findings.sort_by(|a, b| {
        (b.severity, &a.file, a.offset, &a.what).cmp(&(a.severity, &b.file, b.offset, &b.what))
    });
    findings.dedup();
    let identity = IdentityReport::of(&identity);
    let data_dir = data_dir.to_owned();
    Ok(CheckReport { data_dir, identity, commits: survey.commits, shards, findings })
}

impl Finding {
    fn new(severity: Severity, file: &Path, offset: u64, what: String, advice: &str) -> Finding {
        Finding { severity, file: file.to_owned(), offset, what, advice: advice.to_owned() }
    }

    fn of(severity: Severity, damage: &Damage) -> Finding {
        let Damage { file, offset, kind } = damage;
        Finding::new(severity, file, *offset, kind.to_string(), kind.advice())
    }
}

struct Check {
    identity: Identity,
    findings: Vec<Finding>,
}

impl Check {
    /// What the next start would say.
    fn survey(&mut self, survey: &Survey) {
        for damage in &survey.journal_damage {
            // After a clean stop no record depends on the journals.
            let severity = if self.identity.clean { Severity::Warning } else { Severity::Damage };
            self.findings.push(Finding::of(severity, damage));
        }
        for damage in survey.shards.values().flat_map(|s| &s.damage) {
            self.findings.push(Finding::of(Severity::Damage, damage));
        }
        for damage in &survey.absent {
            let mut finding = Finding::of(Severity::Warning, damage);
            finding.what = format!("unless its stream was deleted: {}", finding.what);
            self.findings.push(finding);
        }
        for unsupported in &survey.unsupported {
            let what = unsupported.1.to_string();
            let advice = "start the release that wrote it, or upgrade";
            self.findings.push(Finding::new(Severity::Damage, &unsupported.0, 0, what, advice));
        }
        for (file, offset) in &survey.torn_tails {
            self.findings.push(Finding::new(
                Severity::Note,
                file,
                *offset,
                "a crash cut off the last commit; it was never acknowledged".into(),
                "nothing: the next start drops it",
            ));
        }
        if !self.identity.clean && self.identity.term.0 > 0 {
            let what = "the server did not stop in order".to_owned();
            let advice = "nothing: the next start replays the journals";
            self.findings.push(Finding::new(
                Severity::Note,
                &survey.identity_file,
                0,
                what,
                advice,
            ));
        }
    }

    fn shard(
        &mut self,
        data_dir: &Path,
        key: ShardKey,
        survey: &Survey,
        progress: &mut dyn Progress,
    ) -> Result<ShardTotals, OfflineError> {
        let dir = layout::shard_dir(data_dir, key);
        let (stream, shard) = shard_name(key);
        let verdict = &survey.shards[&key];
        let mut totals = ShardTotals {
            stream,
            shard,
            first: verdict.first,
            end: verdict.end,
            ..ShardTotals::default()
        };
        for entry in blocking::list(&dir)? {
            let Some(base) = layout::parse_segment_file(&entry.name) else {
                continue;
            };
            progress.total_bytes(entry.bytes);
            let path = dir.join(&entry.name);
            match blocking::read_file(&path) {
                Ok(bytes) => self.segment(&path, key, base, &bytes, verdict.end, &mut totals)?,
                Err(e) => {
                    let advice = "the disk cannot read it: replace the disk, restore a backup";
                    self.findings.push(Finding::new(
                        Severity::Damage,
                        &path,
                        0,
                        e.to_string(),
                        advice,
                    ));
                }
            }
            progress.advance(entry.bytes);
        }
        Ok(totals)
    }

    fn segment(
        &mut self,
        path: &Path,
        key: ShardKey,
        base: Seq,
        bytes: &[u8],
        reach: Seq,
        totals: &mut ShardTotals,
    ) -> Result<(), OfflineError> {
        let expect = SegmentExpect { shard: key, base, limit: Seq(u64::MAX) };
        let scan = scan_segment(bytes, &expect);
        let saved = blocking::read_file_if_exists(&path.with_extension("idx"))?;
        match saved.map(|b| SegmentIndex::decode(&b)) {
            Some(Ok(saved)) => self.sealed(path, &saved, &scan),
            Some(Err(why)) => {
                let advice = "nothing: the next start builds it again from the segment";
                let path = path.with_extension("idx");
                self.findings.push(Finding::new(
                    Severity::Warning,
                    &path,
                    0,
                    why.to_string(),
                    advice,
                ));
            }
            None => self.unsealed(path, &scan, reach),
        }
        self.arrival_order(path, &scan, totals.last_arrival);
        totals.segments += 1;
        totals.batches += scan.batches;
        totals.records += scan.index.end().since(scan.index.base());
        totals.bytes += scan.index.bytes();
        if scan.batches > 0 {
            totals.first_arrival.get_or_insert(scan.first_arrival);
            totals.last_arrival = totals.last_arrival.max(Some(scan.index.last_arrival()));
        }
        Ok(())
    }

    fn sealed(&mut self, path: &Path, saved: &SegmentIndex, scan: &SegmentScan) {
        let found = &scan.index;
        if found.end_offset() < saved.end_offset() {
            let what = format!(
                "sealed up to sequence {}, but readable only up to {}: {}",
                saved.end(),
                found.end(),
                scan.end
            );
            let advice = "restore this segment from a backup";
            self.findings.push(Finding::new(
                Severity::Damage,
                path,
                found.end_offset(),
                what,
                advice,
            ));
        } else if found != saved {
            let what = format!(
                "the saved index (up to sequence {}) is not that of the segment (up to {})",
                saved.end(),
                found.end()
            );
            let advice = "remove the .idx file: the next start builds it again from the segment";
            let path = path.with_extension("idx");
            self.findings.push(Finding::new(Severity::Damage, &path, 0, what, advice));
        } else if scan.end != ScanEnd::Clean {
            let what = format!("bytes behind the sealed end: {}", scan.end);
            let advice = "nothing: they are never read";
            self.findings.push(Finding::new(
                Severity::Warning,
                path,
                found.end_offset(),
                what,
                advice,
            ));
        }
    }

    fn unsealed(&mut self, path: &Path, scan: &SegmentScan, reach: Seq) {
        // After a clean stop the survey has reported it as damage.
        if scan.end == ScanEnd::Clean || self.identity.clean {
            return;
        }
        let what = match reach > scan.index.end() {
            true => {
                format!("written up to sequence {}; the journal has the rest", scan.index.end())
            }
            false => format!("ends at sequence {} in bytes of a cut-off write", scan.index.end()),
        };
        let advice = "nothing: the next start completes it";
        self.findings.push(Finding::new(
            Severity::Note,
            path,
            scan.index.end_offset(),
            format!("{what} ({})", scan.end),
            advice,
        ));
    }

    fn arrival_order(&mut self, path: &Path, scan: &SegmentScan, before: Option<Millis>) {
        let inside = scan.arrival_backwards.map(|stray| (stray.offset, stray.seq));
        let first = SegmentIndex::new(scan.index.base()).end_offset();
        let across = (scan.batches > 0 && before.is_some_and(|t| t > scan.first_arrival))
            .then_some((first, scan.index.base()));
        if let Some((offset, seq)) = across.or(inside) {
            let what = format!("the batch at sequence {seq} arrived before its predecessor");
            let advice = "reads by time may miss records around it; reads by sequence are right";
            self.findings.push(Finding::new(Severity::Damage, path, offset, what, advice));
        }
    }
}

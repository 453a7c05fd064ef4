//! A disk that is full, and has space again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use shardway::base::error::ErrorCode;
use shardway::base::ids::ShardNumber;
use shardway::client::Client;
use shardway::record::BatchBuilder;
use shardway::wire::streams::StreamDescription;

use crate::oracle::{Filler, Name, Oracle, Sent, batch_of, read_names};
use crate::process::{Setup, new_dir, skipped, text, until};
use crate::{check_agrees, unlimited};

const SHARD: ShardNumber = ShardNumber(0);
const IMAGE_BYTES: u64 = 200 << 20;

/// A small file system of its own.
struct SmallDisk {
    at: PathBuf,
    _dir: tempfile::TempDir,
}

impl SmallDisk {
    /// `Err` says what this machine lacks.
    fn mount() -> Result<SmallDisk, String> {
        let dir = new_dir();
        let (image, at) = (dir.path().join("image"), dir.path().join("mounted"));
        File::create(&image).and_then(|f| f.set_len(IMAGE_BYTES)).map_err(|e| e.to_string())?;
        fs::create_dir(&at).map_err(|e| e.to_string())?;
        // No blocks for root alone: full is full for everybody.
        call(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))?;
        call(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at))?;
        Ok(SmallDisk { at, _dir: dir })
    }

    /// Takes all space that is left, up to `keep` bytes.
    fn fill(&self, keep: u64) -> PathBuf {
        let path = self.at.join("filler");
        let mut file = File::create(&path).expect("an empty file fits");
        let block = vec![1; 64 << 10];
        while free_bytes(&self.at) > keep {
            let left = (free_bytes(&self.at) - keep).min(block.len() as u64) as usize;
            if file.write_all(&block[..left]).and_then(|()| file.sync_data()).is_err() {
                break;
            }
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = call(Command::new("umount").arg("-l").arg(&self.at)) {
            eprintln!("{} stays mounted: {error}", self.at.display());
        }
    }
}

fn call(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    let said = text(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {}", said.trim())) }
}

fn free_bytes(dir: &Path) -> u64 {
    let path = std::ffi::CString::new(dir.to_str().expect("plain")).expect("no zero bytes");
    // SAFETY: an all-zero statvfs is a place for the call to fill; the path lives through it.
    let (result, space) = unsafe {
        let mut space: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &mut space), space)
    };
    assert_eq!(result, 0, "the file system is there");
    space.f_bavail * space.f_frsize
}

/// One writer that keeps to the oracle, and takes a refusal for what it is.
struct Putter {
    client: Client,
    stream: StreamDescription,
    filler: Filler,
    sent: Sent,
    builder: BatchBuilder,
}

impl Putter {
    /// Puts ten records; the refusal's sentence if they were not stored.
    fn put(&mut self) -> Result<(), String> {
        let first = self.sent.sent;
        let names: Vec<Name> =
            (first..first + 10).map(|number| Name { writer: 0, shard: 0, number }).collect();
        batch_of(&mut self.builder, &self.filler, &names, &[40_000; 10]);
        let batch = self.builder.finish();
        let answer =
            self.client.put(self.stream.summary.uuid, SHARD, 1, batch).expect("it is answered");
        match answer.runs[0].outcome {
            Ok(base) => {
                let numbers = first..first + 10;
                let places = numbers.zip(0..).map(|(number, nth)| (number, base.plus(nth)));
                self.sent.acked.extend(places);
                self.sent.sent += 10;
                Ok(())
            }
            Err(code) => {
                // Refused before anything was staged: the same names may be used again.
                assert_eq!(code, ErrorCode::InternalFailure, "{}", answer.message);
                Err(answer.message)
            }
        }
    }

    fn verify(&self, client: &mut Client) {
        let mut oracle = Oracle::new(self.filler.clone());
        oracle.learn(0, [(0, self.sent.clone())].into());
        let names = read_names(client, self.stream.summary.uuid, SHARD, &self.filler);
        assert_eq!(names.len(), self.sent.acked.len(), "nothing refused was stored");
        oracle.verify(0, &names);
    }
}

#[test]
fn a_full_disk_refuses_puts_serves_reads_and_recovers_by_itself() {
    let disk = match SmallDisk::mount() {
        Ok(disk) => disk,
        Err(why) => {
            skipped("a full disk", &why);
            return;
        }
    };
    let setup = Setup::new(&disk.at.join("data"));
    let server = setup.start();
    let mut client = server.client();
    let stream = client.create_stream("tight", 1, unlimited()).unwrap();
    let (filler, sent) = (Filler::new(40_000), Sent { connections: vec![0], ..Sent::default() });
    let (client, builder) = (server.client(), BatchBuilder::new());
    let mut putter = Putter { client, stream, filler, sent, builder };
    for round in 0..3 {
        let ballast = disk.fill(4 << 20);
        let mut stored = 0;
        let why = loop {
            match putter.put() {
                Ok(()) => stored += 1,
                Err(why) => break why,
            }
        };
        println!("round {round}: {stored} puts of 400 KB, then: {why}");
        assert!(why.contains("No space left"), "{why}");
        assert!(putter.put().is_err(), "as long as it is full");
        putter.verify(&mut server.client());
        server.client().ping().unwrap();
        fs::remove_file(ballast).unwrap();
        until("puts are accepted again", || putter.put().is_ok());
        putter.verify(&mut server.client());
    }
    let _ballast = disk.fill(1 << 20);
    while putter.put().is_ok() {}
    // What is acknowledged and not in segments is in the journal, and there is no space for it.
    server.kill();
    fs::remove_file(disk.at.join("filler")).unwrap();
    let server = setup.start();
    println!("{}", server.recovery());
    putter.verify(&mut server.client());
    server.stop_clean();
    check_agrees(setup.data_dir());
}

#[test]
fn a_first_start_on_a_full_disk_says_so_in_one_line() {
    let disk = match SmallDisk::mount() {
        Ok(disk) => disk,
        Err(why) => {
            skipped("a first start on a full disk", &why);
            return;
        }
    };
    let ballast = disk.fill(20 << 20);
    let setup = Setup::new(&disk.at.join("data"));
    let (code, stderr) = setup.refused();
    assert!((2..128).contains(&code), "exit code {code}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("space") || stderr.contains("full"), "{stderr}");
    fs::remove_file(ballast).unwrap();
    setup.start().stop_clean();
}

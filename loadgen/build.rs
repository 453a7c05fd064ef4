//! Puts the source's revision into the program, so that a copied one still knows what it is.

use std::process::Command;

fn main() {
    // The server is a library here: what it changes, changes the measured program.
    for path in ["../src", "../Cargo.lock", "src", "Cargo.toml", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let git = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    if let Some(revision) = git.ok().filter(|git| git.status.success())
        && let Ok(text) = String::from_utf8(revision.stdout)
    {
        println!("cargo::rustc-env=LOADGEN_GIT_REVISION={}", text.trim());
    }
}

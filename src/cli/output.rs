//! Where results go: standard output, or a file that is whole or not there.
//!
//! Colors are always made for standard output and taken away again where they do not belong:
//! `anstream` knows terminals, `NO_COLOR` and its relatives. This file does not know what it writes.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Prints to standard output. A reader that has left (`| head`) has what it wanted.
pub fn print(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = anstream::AutoStream::auto(io::stdout().lock());
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Says something beside the result; nobody listening is no failure.
pub fn note(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Writes a file through a temporary one beside it, so that no reader sees half of it.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Devices and pipes cannot be replaced by a rename.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return fs::write(path, bytes);
    }
    let beside = beside(path);
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Finds out whether a file could be written, before a long run is played for it.
pub fn try_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        Ok(found) if !found.is_file() => Ok(()),
        _ => {
            let beside = beside(path);
            fs::write(&beside, b"").and_then(|()| fs::remove_file(&beside))
        }
    }
}

/// A hidden name in the same folder: a rename works only within one file system.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

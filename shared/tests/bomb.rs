//! A zip bomb costs its reader almost nothing. Alone in its file, so that nobody else's memory is measured.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_protocol::body::{Poison, Reader};
use std::fs;

const MIB: usize = 1024 * 1024;

/// The most memory this process ever held, in KiB (`VmHWM` of proc(5)).
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn refused(body: &[u8]) -> Poison {
    let mut reader = match Reader::new(body) {
        Ok(reader) => reader,
        Err(poison) => return poison,
    };
    loop {
        match reader.next_item() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a bomb was read to its end"),
            Err(poison) => return poison,
        }
    }
}

#[test]
fn a_bomb_is_refused_with_less_than_eight_mebibytes_of_memory() {
    let packed = |byte: u8| {
        // Packed in pieces, so that making the bomb takes no more memory than refusing it.
        let mut zstd = zstd::Encoder::new(Vec::new(), 3).unwrap();
        let piece = vec![byte; 64 * 1024];
        for _ in 0..1024 * MIB / piece.len() {
            std::io::Write::write_all(&mut zstd, &piece).unwrap();
        }
        zstd.finish().unwrap()
    };
    let bombs = [packed(b' '), packed(b'\n'), packed(b'['), packed(b'"')];
    // Forget the peak of the packing (proc(5), clear_refs): from here on only the refusing counts.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak_kib();
    for bomb in &bombs {
        assert!(bomb.len() < 128 * 1024, "{} bytes", bomb.len());
        let poison = refused(bomb);
        assert!(matches!(poison, Poison::Ratio | Poison::ItemTooLong | Poison::TooManyItems), "{poison:?}");
    }
    let grown = peak_kib() - before;
    assert!(grown < 8 * 1024, "refusing four bombs of 1 GiB took {grown} KiB more");
}

//! Puts the makers' root into a built agent: the place where it stands is found by its mark, and the text exchanged.
//!
//! After the build and before the signature, so that building needs no keys and what was signed is what was pinned.

use crate::shell::Outcome;
use rollcall_protocol::update::document;
use rollcall_protocol::update::metadata::Root;
use std::fs;
use std::path::Path;

/// As in `agent/src/update/pinned.rs`.
const MARK: &[u8] = b"rollcall-agent-update-root:";
const LENGTH: usize = 8192;

/// Writes the program with this root to another place.
pub fn pin(exe: &Path, root: &Path, to: &Path) -> Outcome {
    let told = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let text = fs::read_to_string(root).map_err(|error| told(root, error))?;
    document::open_self_signed(&text).map(drop::<Root>).map_err(|error| format!("{}: {error}", root.display()))?;
    let mut program = fs::read(exe).map_err(|error| told(exe, error))?;
    exchange(&mut program, text.as_bytes()).map_err(|why| format!("{}: {why}", exe.display()))?;
    fs::write(to, program).map_err(|error| told(to, error))?;
    let permissions = fs::metadata(exe).map_err(|error| told(exe, error))?.permissions();
    fs::set_permissions(to, permissions).map_err(|error| told(to, error))
}

fn exchange(program: &mut [u8], root: &[u8]) -> Result<(), &'static str> {
    if MARK.len() + root.len() >= LENGTH {
        return Err("the root is longer than its place");
    }
    let starts = |at: &usize| program[*at..].starts_with(MARK);
    let places: Vec<usize> = (0..program.len().saturating_sub(LENGTH - 1)).filter(starts).collect();
    // The mark alone stands elsewhere too, where a program names it.
    let places = places.into_iter().filter(|at| program[at + MARK.len()] == b'{');
    let [place] = places.collect::<Vec<_>>()[..] else {
        return Err("there is no one place for a root in it");
    };
    let text = &mut program[place + MARK.len()..place + LENGTH];
    text.fill(0);
    text[..root.len()].copy_from_slice(root);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(roots: &[&[u8]]) -> Vec<u8> {
        let mut program = b"code and the mark rollcall-agent-update-root: alone;".to_vec();
        for root in roots {
            let begin = program.len();
            program.extend_from_slice(&[MARK, root].concat());
            program.resize(begin + LENGTH, 0);
        }
        program.extend_from_slice(b"more code");
        program
    }

    #[test]
    fn a_shorter_root_leaves_nothing_of_a_longer_one() {
        let mut before = program(&[b"{\"the longer root\":1}"]);

        exchange(&mut before, b"{\"short\":2}").unwrap();

        assert_eq!(before, program(&[b"{\"short\":2}"]));
    }

    #[test]
    fn a_program_without_the_place_or_with_two_is_left_alone() {
        for roots in [&[][..], &[&b"{}"[..], b"{}"][..]] {
            let before = program(roots);
            let mut after = before.clone();

            assert!(exchange(&mut after, b"{}").is_err());
            assert_eq!(after, before);
        }
    }

    #[test]
    fn a_root_that_is_too_long_is_refused() {
        assert!(exchange(&mut program(&[b"{}"]), &[b'x'; LENGTH]).is_err());
    }
}

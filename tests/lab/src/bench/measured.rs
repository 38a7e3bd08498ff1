//! What one run of a program cost: time on the wall, time on the processors, the most memory it held (proc(5)).

use super::BenchError;
use std::fs;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    pub wall: Duration,
    pub processor: Duration,
    pub peak_kib: u64,
}

/// Linux counts processor time in hundredths of a second for every reader of proc(5).
const TICK: Duration = Duration::from_millis(10);

/// Runs a program to its end; its output is thrown away unless it fails.
pub fn measure(command: &mut Command) -> Result<Measured, BenchError> {
    let clock = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let (processor, peak_kib) = watch(&mut child)?;
    let wall = clock.elapsed();
    let done = child.wait_with_output()?;
    if done.status.success() {
        return Ok(Measured { wall, processor, peak_kib });
    }
    let program = command.get_program().to_string_lossy().into_owned();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(BenchError::Failed { program, code: done.status.code(), said })
}

/// Looks at the process until it is over. Its account stays readable until somebody asks for its status.
fn watch(child: &mut Child) -> Result<(Duration, u64), BenchError> {
    let mut peak = 0;
    loop {
        let stat = Stat::of(child.id())?;
        if stat.is_over {
            return Ok((stat.processor, peak));
        }
        peak = peak.max(memory_kib(child.id(), "VmHWM:"));
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub is_over: bool,
    pub processor: Duration,
}

impl Stat {
    pub fn of(process: u32) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
        Self::parse(&text).ok_or_else(|| io::Error::other("proc(5) reads differently"))
    }

    /// The name in parentheses may hold anything, blanks too; state is the first word after it, utime and stime the
    /// twelfth and thirteenth.
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u32 = words.get(11)?.parse::<u32>().ok()? + words.get(12)?.parse::<u32>().ok()?;
        Some(Self { is_over: *words.first()? == "Z", processor: TICK * ticks })
    }
}

/// One of the sizes in `/proc/…/status`; 0 for a process that is over.
pub fn memory_kib(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

/// The middle one by time on the wall.
pub fn middle(mut runs: Vec<Measured>) -> Option<Measured> {
    runs.sort_by_key(|run| run.wall);
    runs.get(runs.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_confuse_the_account() {
        let text = "7 (a b) c) Z 1 7 7 0 -1 4 0 0 0 0 12 30 0 0 20 0 1 0 5 0 0";

        let stat = Stat::parse(text).unwrap();

        assert_eq!(stat, Stat { is_over: true, processor: Duration::from_millis(420) });
    }

    #[test]
    fn a_run_is_measured_to_its_end() {
        let run =
            measure(Command::new("sh").args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"])).unwrap();

        assert!(run.processor > Duration::ZERO && run.peak_kib > 0, "{run:?}");
    }

    #[test]
    fn a_program_that_fails_is_no_measurement() {
        assert!(matches!(measure(&mut Command::new("false")), Err(BenchError::Failed { .. })));
    }
}

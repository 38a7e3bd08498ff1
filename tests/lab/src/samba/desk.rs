//! The administrator's desk: a Python process beside the domain's database that takes commands by the line.

use super::SambaError;
use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};
use uuid::Uuid;

const SCRIPT: &str = include_str!("desk.py");

#[derive(Debug)]
pub struct Desk {
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Desk {
    pub fn open(folder: &Path) -> Result<Self, SambaError> {
        let io = SambaError::io;
        let errors = File::create(folder.join("desk.log")).map_err(io("desk.log"))?;
        // Debian's own Python, since only that one finds Debian's Samba modules.
        let mut process = Command::new("/usr/bin/python3")
            .args(["-c", SCRIPT])
            .arg(folder.join("smb.conf"))
            .arg(folder.join("private/sam.ldb"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(|_| SambaError::Missing { program: "/usr/bin/python3", package: "python3-samba" })?;
        let commands = process.stdin.take();
        let answers = process.stdout.take().ok_or_else(|| SambaError::Refused("no way to hear the desk".to_owned()))?;
        Ok(Self { process, commands, answers: BufReader::new(answers) })
    }

    /// One action; its result, if it has one.
    pub fn ask(&mut self, command: &Value) -> Result<Value, SambaError> {
        let closed = || SambaError::Refused("the desk has closed; see desk.log".to_owned());
        let commands = self.commands.as_mut().ok_or_else(closed)?;
        writeln!(commands, "{command}").map_err(SambaError::io("desk"))?;
        commands.flush().map_err(SambaError::io("desk"))?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(SambaError::io("desk"))?;
        let mut answer: Value = serde_json::from_str(&line).map_err(|_| closed())?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(SambaError::Refused(error.to_owned())),
            None => Ok(answer.get_mut("value").map(Value::take).unwrap_or_default()),
        }
    }

    /// One action whose result is an object.
    pub fn guid(&mut self, command: &Value) -> Result<Uuid, SambaError> {
        let value = self.ask(command)?;
        let guid = value.as_str().and_then(|text| Uuid::parse_str(text).ok());
        guid.ok_or_else(|| SambaError::Refused(format!("expected a GUID, got {value}")))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // The script ends by itself at the end of its input.
        self.commands = None;
        let _ = self.process.wait();
    }
}

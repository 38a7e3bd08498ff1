//! A mail relay for tests (RFC 5321), written from the standard: it takes, refuses for now, refuses for ever, or hangs up
//! after it has heard everything.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use super::Postman;
use crate::config;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Takes,
    NotNow,
    Never,
    HangsUp,
    /// Keeps the caller waiting for the first word.
    Silent,
}

#[derive(Debug)]
pub struct Relay {
    pub port: u16,
    heard: Arc<Mutex<(Mood, Vec<String>)>>,
}

impl Relay {
    pub async fn open(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new((mood, Vec::new())));
        let shared = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tokio::spawn(serve(caller, Arc::clone(&shared)));
            }
        });
        Self { port, heard }
    }

    /// A postman who brings everything here.
    pub fn postman(&self) -> Postman {
        let relay = config::Relay::new(format!("smtp://127.0.0.1:{}", self.port), "rollcall@northwind.example".into());
        Postman::of(Some(&relay)).unwrap()
    }

    pub fn mood(&self, mood: Mood) {
        self.heard.lock().unwrap().0 = mood;
    }

    /// Everything that came through, envelopes first.
    pub fn mails(&self) -> Vec<String> {
        self.heard.lock().unwrap().1.clone()
    }
}

async fn serve(caller: TcpStream, heard: Arc<Mutex<(Mood, Vec<String>)>>) -> std::io::Result<()> {
    let (read, mut write) = caller.into_split();
    let mut lines = BufReader::new(read).lines();
    while heard.lock().unwrap().0 == Mood::Silent {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    write.write_all(b"220 relay.test\r\n").await?;
    let mut envelope = String::new();
    while let Some(line) = lines.next_line().await? {
        let mood = heard.lock().unwrap().0;
        let verb = line.split(' ').next().unwrap_or_default().to_uppercase();
        let answer = match (verb.as_str(), mood) {
            ("RCPT", Mood::NotNow) => "451 4.3.0 try again later",
            ("RCPT", Mood::Never) => "550 5.1.1 no such mailbox",
            ("MAIL" | "RCPT", Mood::Takes | Mood::HangsUp | Mood::NotNow | Mood::Never | Mood::Silent) => {
                envelope.push_str(&line);
                envelope.push('\n');
                "250 ok"
            }
            ("DATA", _) => {
                write.write_all(b"354 go on\r\n").await?;
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    envelope.push_str(&line);
                    envelope.push('\n');
                }
                if mood == Mood::HangsUp {
                    return Ok(());
                }
                heard.lock().unwrap().1.push(std::mem::take(&mut envelope));
                "250 taken"
            }
            ("QUIT", _) => "221 bye",
            (_, _) => "250 ok",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

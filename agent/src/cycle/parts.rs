//! Packs a cycle's items into batches and signs them into the chain once their number is known.

use std::io;
use std::thread::{self, JoinHandle};

use rollcall_protocol::batch::{BatchLink, CyclePart};
use rollcall_protocol::body::{self, Body, Writer};
use rollcall_protocol::chain::{ChainHead, ChainLink};
use rollcall_protocol::hash::{BodyDigest, Hash};
use uuid::Uuid;

use super::CycleError;
use crate::clock::{Chance, Clock};
use crate::signer::{Signer, Stamp};
use crate::spool::SpoolError;
use crate::spool::commit::CycleWriter;

/// The bodies of one cycle, in the making.
#[derive(Debug)]
pub struct Parts<'a> {
    writer: &'a CycleWriter<'a>,
    open: Open,
    /// The part before the open one, being compressed while the next is collected.
    packing: Option<JoinHandle<io::Result<Packed>>>,
    /// Room for the next part, from one that is packed.
    spare: Vec<u8>,
    head: ChainHead,
    closed: Vec<Closed>,
    /// Items and bytes so far, for the report.
    pub items: u64,
    pub bytes: u64,
}

/// Items, one a line, that are not compressed yet.
#[derive(Debug, Default)]
struct Open {
    lines: Vec<u8>,
    items: u32,
}

#[derive(Debug)]
struct Packed {
    body: Body,
    room: Vec<u8>,
}

impl Open {
    fn pack(mut self) -> io::Result<Packed> {
        let mut writer = Writer::new()?;
        writer.push_lines(&self.lines, self.items)?;
        self.lines.clear();
        Ok(Packed { body: writer.finish()?, room: self.lines })
    }
}

#[derive(Debug)]
struct Closed {
    body: BodyDigest,
    items: u32,
}

/// What signs the parts.
#[derive(Debug, Clone, Copy)]
pub struct Seal<'a> {
    pub signer: &'a Signer,
    pub clock: &'a Clock,
    pub chance: &'a Chance,
}

impl<'a> Parts<'a> {
    /// Begins at the place where the chain stands.
    pub fn begin(writer: &'a CycleWriter<'a>, head: ChainHead) -> Self {
        Self {
            writer,
            open: Open::default(),
            packing: None,
            spare: Vec::new(),
            head,
            closed: Vec::new(),
            items: 0,
            bytes: 0,
        }
    }

    /// Adds one item, a JSON text without line breaks.
    pub fn push(&mut self, json: &str) -> Result<(), CycleError> {
        self.push_with(|line| {
            line.extend_from_slice(json.as_bytes());
            Ok(())
        })
    }

    /// Adds one item by whoever writes it: JSON without line breaks.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), SpoolError>) -> Result<(), CycleError> {
        if body::is_full(self.open.items, self.open.lines.len()) {
            self.close()?;
        }
        self.items += 1;
        self.open.items += 1;
        write(&mut self.open.lines)?;
        self.open.lines.push(b'\n');
        Ok(())
    }

    fn close(&mut self) -> Result<(), CycleError> {
        self.keep_packed()?;
        let next = Open { lines: std::mem::take(&mut self.spare), items: 0 };
        let open = std::mem::replace(&mut self.open, next);
        self.packing = Some(thread::spawn(move || open.pack()));
        Ok(())
    }

    /// Waits for the part that is being compressed and puts it into the spool.
    fn keep_packed(&mut self) -> Result<(), CycleError> {
        let Some(packing) = self.packing.take() else { return Ok(()) };
        let packed = packing.join().map_err(|_| io::Error::other("the packing thread ended"))??;
        let Packed { body, room } = packed;
        self.spare = room;
        self.writer.put_body(self.head.seq + self.closed.len() as u64, &body)?;
        self.bytes += body.bytes.len() as u64;
        self.closed.push(Closed { body: BodyDigest::of(&body.bytes), items: body.items });
        Ok(())
    }

    /// Signs every part. There is always one, be it empty: it carries the count and the digest of the whole set.
    pub fn seal(mut self, cycle: &CyclePart, seal: Seal<'_>) -> Result<Sealed, CycleError> {
        self.close()?;
        self.keep_packed()?;
        let count = u32::try_from(self.closed.len()).unwrap_or(u32::MAX);
        let mut head = self.head;
        for (part, closed) in (1..=count).zip(&self.closed) {
            let cycle = CyclePart { part, parts: count, items: closed.items, ..cycle.clone() };
            let jws = sign(seal, closed.body, head, cycle)?;
            self.writer.put_signature(head.seq, &jws)?;
            head = head.then(Hash::of(jws.as_bytes()));
        }
        Ok(Sealed { head, parts: count, items: self.items, bytes: self.bytes })
    }
}

/// Where the chain stands after the cycle, and how large it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    pub head: ChainHead,
    pub parts: u32,
    pub items: u64,
    pub bytes: u64,
}

fn sign(seal: Seal<'_>, body: BodyDigest, chain: ChainLink, cycle: CyclePart) -> Result<String, CycleError> {
    let at = seal.clock.cloud_now();
    let jti: Uuid = seal.chance.id(at);
    Ok(seal.signer.sign_batch(body, Stamp { at, jti }, BatchLink { chain, cycle })?)
}

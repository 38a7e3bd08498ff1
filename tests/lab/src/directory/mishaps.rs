//! What befalls a running directory: faults, lost permissions, another certificate, another identity.

use super::{
    Directory, DirectoryError, Fault, Trouble, When,
    attribute::Attr,
    entry::Values,
    rules::DeletedObjects,
    server_names,
    sid::Sid,
    view::{Denied, Unreadable},
};
use crate::authority::Flavour;
use std::sync::PoisonError;
use uuid::Uuid;

impl Directory {
    pub fn fault(&self, fault: Fault) {
        self.set_rules(|rules| rules.faults.add(fault));
    }

    /// Shorthand for the commonest fault: trouble in some page.
    pub fn trouble(&self, when: When, trouble: Trouble) {
        self.fault(Fault::InSearch(when, trouble));
    }

    /// Ends all faults, limits and lost permissions; the objects stay as they are.
    pub fn heal(&self) {
        self.set_rules(|rules| {
            rules.faults.clear();
            rules.unreadable.clear();
            rules.denied = Denied::default();
            (rules.max_page_size, rules.max_values) = (1_000, 1_500);
        });
    }

    pub fn clamp_pages(&self, entries: usize) {
        self.set_rules(|rules| rules.max_page_size = entries);
    }

    /// Takes an attribute from sight on this many of a hundred objects.
    pub fn hide(&self, attr: Attr, percent: u8) {
        self.set_rules(|rules| rules.unreadable.push(Unreadable { attr, percent }));
    }

    /// Takes one object from sight; links to it stay.
    pub fn hide_object(&self, guid: Uuid) {
        self.set_rules(|rules| {
            rules.denied.objects.insert(guid);
        });
    }

    /// Takes one attribute of one object from sight.
    pub fn deny(&self, guid: Uuid, attr: Attr) {
        self.set_rules(|rules| {
            rules.denied.attributes.insert((guid, attr));
        });
    }

    pub fn set_deleted_objects(&self, access: DeletedObjects) {
        self.set_rules(|rules| rules.deleted_objects = access);
    }

    /// Cuts every connection there is now.
    pub fn cut_connections(&self) {
        self.shared.cut.send_modify(|cut| *cut += 1);
    }

    /// From the next connection on the server shows another certificate.
    pub fn show_certificate(&self, flavour: Flavour) -> Result<(), DirectoryError> {
        let names = self.read(|forest| server_names(forest, self.address));
        let config = self.authority.issue(&names, flavour)?.server_config()?;
        *self.shared.tls.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// The controller was restored from a backup in the proper way: a new invocation id.
    pub fn restore_from_backup(&self) {
        let mut forest = self.shared.forest_mut();
        let invocation_id = forest.new_guid();
        forest.controller.invocation_id = invocation_id;
        let service = forest.landmarks.directory_service;
        forest.entry_mut(service).set(Attr::InvocationId, Values::one(invocation_id.to_bytes_le()));
    }

    /// The controller was put back in an improper way: the same invocation id, lower numbers.
    pub fn roll_back_usn(&self, by: u64) {
        let mut forest = self.shared.forest_mut();
        let usn = forest.highest_usn().saturating_sub(by);
        forest.set_highest_usn(usn);
    }

    /// The controller's clock runs ahead of this machine's, or behind it.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.shared.forest_mut().controller.clock_ahead = seconds;
    }

    /// Another domain answers under the same name.
    pub fn become_other_domain(&self) {
        let mut forest = self.shared.forest_mut();
        let (head, guid) = (forest.landmarks.domain, forest.new_guid());
        forest.replace_guid(head, guid);
        let sid = Sid::domain([11, 22, 33]);
        forest.entry_mut(head).set(Attr::ObjectSid, Values::one(sid.to_bytes()));
    }
}

//! A second controller of the same domain: the same objects, its own identity and numbers, and as far behind as the test wants.

use super::{Attr, Directory, DirectoryError, Forest, ForestError, Setup, Values};
use std::sync::Arc;

/// How far the second controller's numbers are from the first's: they have nothing to do with each other.
const OTHER_NUMBERS: u64 = 500_000;

impl Directory {
    /// Starts another controller with the domain as it is now; it learns nothing more until `catch_up`.
    pub fn second_controller(&self, name: &str, setup: Setup) -> Result<Directory, DirectoryError> {
        let mut forest = self.read(Forest::clone);
        become_controller(&mut forest, name)?;
        let usn = forest.highest_usn() + OTHER_NUMBERS;
        forest.set_highest_usn(usn);
        let setup = Setup { authority: Some(Arc::clone(self.authority())), ..setup };
        Directory::serve(forest, setup, self.password())
    }

    /// Replication: this controller now has what `other` has, and stays itself.
    pub fn catch_up(&self, other: &Directory) {
        let mut forest = other.read(Forest::clone);
        let mut own = self.shared.forest_mut();
        let (usn, service) = (own.highest_usn() + 1, own.landmarks.directory_service);
        let (guid, server) = (own.entry(service).guid, own.entry(service).parent);
        if let Some(server) = server {
            let name = own.entry(server).relative_name.clone();
            let parent = forest.entry(server).parent;
            forest.relocate(server, parent, name);
        }
        forest.replace_guid(service, guid);
        let invocation_id = own.controller.invocation_id;
        forest.entry_mut(service).set(Attr::InvocationId, Values::one(invocation_id.to_bytes_le()));
        forest.controller = own.controller.clone();
        forest.set_highest_usn(usn);
        *own = forest;
    }
}

fn become_controller(forest: &mut Forest, name: &str) -> Result<(), ForestError> {
    let service = forest.landmarks.directory_service;
    if let Some(server) = forest.entry(service).parent {
        forest.rename(server, &name.to_uppercase())?;
    }
    let (guid, invocation_id) = (forest.new_guid(), forest.new_guid());
    forest.replace_guid(service, guid);
    forest.entry_mut(service).set(Attr::InvocationId, Values::one(invocation_id.to_bytes_le()));
    name.clone_into(&mut forest.controller.name);
    forest.controller.invocation_id = invocation_id;
    Ok(())
}

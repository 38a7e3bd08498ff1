//! Says how a directory is reached and what is read of each person.

use super::ceiling::NeverRead;
use super::connect::Target;
use super::controllers::Controllers;
use super::method::Method;
use super::people::AttributeList;

#[derive(Debug, Clone)]
pub struct Access {
    /// Which domain controllers there are; by itself only the one of `target`.
    pub controllers: Controllers,
    /// How each of them is reached.
    pub target: Target,
    /// The ways to sign in, best first.
    pub methods: Vec<Method>,
    pub attributes: AttributeList,
    pub never_read: NeverRead,
}

"""The administrator's desk of a Samba domain: one JSON command per line in, one JSON answer per line out.

Works on the domain's own database, as samba-tool does without -H, so that every action is as fast as the database
and needs no password. Ends when its input ends.
"""
import json
import sys
import traceback
import uuid

import ldb
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB

DISABLED = 0x2
# Enabled, and allowed to be without a password, since nobody signs in with these.
ORDINARY = 512 | 32

lp = LoadParm()
lp.load(sys.argv[1])
sam = SamDB(url=sys.argv[2], session_info=system_session(), lp=lp)
root = sam.domain_dn()


def by_guid(guid):
    return ldb.Dn(sam, "<GUID=%s>" % guid)


def find(guid, attrs=("cn",), controls=None):
    found = sam.search(by_guid(guid), ldb.SCOPE_BASE, "(objectClass=*)", list(attrs), controls=controls)
    return found[0]


def guid_of(dn):
    found = sam.search(dn, ldb.SCOPE_BASE, "(objectClass=*)", ["objectGUID"])
    return str(uuid.UUID(bytes_le=bytes(found[0]["objectGUID"][0])))


def child(parent, kind, name):
    dn = ldb.Dn(sam, str(parent))
    dn.add_child("X=X")
    dn.set_component(0, kind, name)
    return dn


def place(path):
    """`["Staff", "Berlin"]`, outermost first, is OU=Berlin,OU=Staff below the domain."""
    dn = ldb.Dn(sam, root)
    for name in path:
        dn = child(dn, "OU", name)
    return dn


def modify(dn, attr, values, flag):
    message = ldb.Message(dn)
    message[attr] = ldb.MessageElement(values, flag, attr)
    sam.modify(message)


def in_batches(items, action, size=500):
    """One transaction for many adds is fast, one for all of them is far worse than linear."""
    for start in range(0, len(items), size):
        sam.transaction_start()
        try:
            for item in items[start:start + size]:
                action(item)
        except BaseException:
            sam.transaction_cancel()
            raise
        sam.transaction_commit()


def make_ou(c):
    dn = place(c["path"])
    sam.add({"dn": dn, "objectClass": "organizationalUnit"})
    return guid_of(dn)


def make_group(c):
    dn = child(place(c["path"]), "CN", c["name"])
    kind = {"global": -2147483646, "universal": -2147483640, "local": -2147483644, "distribution": 8}[c.get("kind", "global")]
    sam.add({"dn": dn, "objectClass": "group", "sAMAccountName": c["name"], "groupType": str(kind)})
    return guid_of(dn)


def make_person(c):
    name = (c["given_name"] + " " + c["surname"]).strip()
    dn = child(place(c["path"]), "CN", c.get("name") or name)
    entry = {
        "dn": dn,
        "objectClass": "user",
        "sAMAccountName": c["account_name"],
        "userPrincipalName": c["account_name"] + "@" + lp.get("realm").lower(),
        "displayName": name,
        "givenName": c["given_name"],
        "sn": c["surname"],
        "mail": c.get("mail") or "",
        "userAccountControl": str(ORDINARY),
    }
    sam.add({key: value for key, value in entry.items() if value != ""})
    return guid_of(dn)


def make_object(c):
    dn = child(place(c["path"]), "CN", c["name"])
    sam.add(dict(c["values"], dn=dn, objectClass=c["class"]))
    return guid_of(dn)


def fill(c):
    in_batches(c["ous"], make_ou, 100)
    groups = {group["name"]: make_group(group) for group in c["groups"]}
    made = []
    in_batches(c["people"], lambda person: made.append(make_person(person)))
    for name, guid in groups.items():
        members = [made[at] for at, person in enumerate(c["people"]) if name in person.get("groups", [])]
        for start in range(0, len(members), 500):
            values = ["<GUID=%s>" % member for member in members[start:start + 500]]
            modify(find(guid).dn, "member", values, ldb.FLAG_MOD_ADD)
    return len(made)


def service_account(c):
    sam.newuser(c["account_name"], c["password"], description="Reads the directory")
    sam.setexpiry("(sAMAccountName=%s)" % ldb.binary_encode(c["account_name"]), 0, no_expiry_req=True)
    found = sam.search(root, ldb.SCOPE_SUBTREE, "(sAMAccountName=%s)" % ldb.binary_encode(c["account_name"]), ["cn"])
    return guid_of(found[0].dn)


def register_service(c):
    """The Kerberos name of the directory itself, which a controller registers a while after its first start."""
    found = sam.search(root, ldb.SCOPE_SUBTREE, "(sAMAccountName=DC1$)", ["servicePrincipalName"])
    if c["name"] not in [str(name) for name in found[0]["servicePrincipalName"]]:
        modify(found[0].dn, "servicePrincipalName", [c["name"]], ldb.FLAG_MOD_ADD)


def grant_deleted_objects(c):
    """List contents and read property on the container of deleted objects (KB892806)."""
    controls = ["show_deleted:1", "sd_flags:1:4"]
    dn = ldb.Dn(sam, "CN=Deleted Objects," + root)
    found = sam.search(dn, ldb.SCOPE_BASE, "(objectClass=*)", ["nTSecurityDescriptor"], controls=controls)
    domain = security.dom_sid(sam.get_domain_sid())
    descriptor = ndr_unpack(security.descriptor, found[0]["nTSecurityDescriptor"][0])
    sid = ndr_unpack(security.dom_sid, find(c["guid"], ["objectSid"])["objectSid"][0])
    ace = security.descriptor.from_sddl("D:(A;;LCRP;;;%s)" % sid, domain).dacl.aces[0]
    descriptor.dacl_add(ace)
    message = ldb.Message(dn)
    message["nTSecurityDescriptor"] = ldb.MessageElement(ndr_pack(descriptor), ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
    sam.modify(message, controls=controls)


def join(c):
    modify(find(c["group"]).dn, "member", [str(find(c["guid"]).dn)], ldb.FLAG_MOD_ADD)


def leave(c):
    modify(find(c["group"]).dn, "member", [str(find(c["guid"]).dn)], ldb.FLAG_MOD_DELETE)


def rename(c):
    old = find(c["guid"]).dn
    sam.rename(old, child(old.parent(), old.get_rdn_name(), c["name"]))


def move(c):
    old = find(c["guid"]).dn
    target = find(c["to"], ["ou"]).dn
    sam.rename(old, child(target, old.get_rdn_name(), old.get_rdn_value()))


def control(c, change):
    entry = find(c["guid"], ["userAccountControl"])
    bits = change(int(str(entry["userAccountControl"])))
    modify(entry.dn, "userAccountControl", [str(bits)], ldb.FLAG_MOD_REPLACE)


def delete(c):
    sam.delete(find(c["guid"]).dn, ["tree_delete:1"] if c.get("tree") else [])


def recreate(c):
    kept = ["sAMAccountName", "userPrincipalName", "displayName", "givenName", "sn", "mail", "userAccountControl"]
    old = find(c["guid"], kept)
    entry = {"dn": old.dn, "objectClass": "user"}
    entry.update({name: str(old[name][0]) for name in kept if name in old})
    sam.delete(old.dn)
    sam.add(entry)
    return guid_of(old.dn)


def undelete(c):
    """Restores a tombstone at its last known parent: the same object, without its links."""
    controls = ["show_deleted:1"]
    old = find(c["guid"], ["lastKnownParent"], controls)
    name = str(old.dn.get_rdn_value()).split("\n")[0]
    target = child(str(old["lastKnownParent"]), old.dn.get_rdn_name(), name)
    message = ldb.Message(old.dn)
    message["isDeleted"] = ldb.MessageElement([], ldb.FLAG_MOD_DELETE, "isDeleted")
    message["distinguishedName"] = ldb.MessageElement([str(target)], ldb.FLAG_MOD_REPLACE, "distinguishedName")
    sam.modify(message, controls=controls)


def set_values(c):
    modify(find(c["guid"]).dn, c["attribute"], c["values"], ldb.FLAG_MOD_REPLACE)


def swap_mails(c):
    left, right = find(c["guid"], ["mail"]), find(c["other"], ["mail"])
    for entry, other in ((left, right), (right, left)):
        modify(entry.dn, "mail", [str(other["mail"][0])] if "mail" in other else [], ldb.FLAG_MOD_REPLACE)


def set_primary_group(c):
    """Only a member may get a group as its primary one; the database then moves the links."""
    sid = ndr_unpack(security.dom_sid, find(c["group"], ["objectSid"])["objectSid"][0])
    person = find(c["guid"], ["memberOf"])
    group = find(c["group"]).dn
    if not any(ldb.Dn(sam, str(name)) == group for name in person.get("memberOf", [])):
        join(c)
    modify(person.dn, "primaryGroupID", [str(sid.split()[1])], ldb.FLAG_MOD_REPLACE)


def guid_at(c):
    return guid_of(ldb.Dn(sam, c["dn"] + "," + root))


def account(c):
    found = sam.search(root, ldb.SCOPE_SUBTREE, "(sAMAccountName=%s)" % ldb.binary_encode(c["account_name"]), ["cn"])
    return guid_of(found[0].dn) if found else None


ACTIONS = {
    "fill": fill, "service_account": service_account, "register_service": register_service, "grant_deleted_objects": grant_deleted_objects,
    "make_ou": make_ou, "make_group": make_group, "make_person": make_person,
    "make_object": make_object,
    "join": join, "leave": leave, "rename": rename, "move": move, "delete": delete, "recreate": recreate,
    "undelete": undelete, "set": set_values, "swap_mails": swap_mails, "set_primary_group": set_primary_group,
    "disable": lambda c: control(c, lambda bits: bits | DISABLED),
    "enable": lambda c: control(c, lambda bits: bits & ~DISABLED),
    "guid_at": guid_at, "account": account,
}

for line in sys.stdin:
    command = json.loads(line)
    try:
        answer = {"value": ACTIONS[command["do"]](command)}
    except Exception as error:
        traceback.print_exc()
        answer = {"error": "%s: %s" % (command["do"], error)}
    print(json.dumps(answer), flush=True)

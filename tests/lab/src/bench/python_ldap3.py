"""Reads every person page by page with ldap3 and counts them."""

import os
import ssl

from ldap3 import SUBTREE, Connection, Server, Tls

server = Server(os.environ["URL"], use_ssl=True, tls=Tls(validate=ssl.CERT_NONE), get_info=None)
connection = Connection(server, os.environ["BIND_USER"], os.environ["BIND_PASSWORD"], auto_bind=True)
entries = connection.extend.standard.paged_search(
    os.environ["BASE"],
    os.environ["FILTER"],
    search_scope=SUBTREE,
    attributes=os.environ["ATTRIBUTES"].split(","),
    paged_size=int(os.environ["PAGE"]),
    generator=True,
)
print(sum(1 for entry in entries if entry["type"] == "searchResEntry"))

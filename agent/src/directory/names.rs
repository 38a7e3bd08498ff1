//! Asks DNS where a domain's controllers are. Every question has an end.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameServer {
    OfTheMachine,
    At(SocketAddr),
}

/// One controller as DNS lists it (RFC 2782). Its port is that of plain LDAP and says nothing about ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub host: String,
    pub priority: u16,
    pub weight: u16,
}

/// DNS gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(String);

impl NameServer {
    /// The controllers of a domain (MS-ADTS 6.3.2.3), in no order.
    pub async fn controllers(self, domain: &str, limit: Duration) -> Result<Vec<Listed>, NoAnswer> {
        let resolver = self.resolver()?;
        // The dot at the end keeps a search list of the machine out of it.
        let found = within(limit, resolver.srv_lookup(format!("_ldap._tcp.dc._msdcs.{domain}."))).await?;
        let listed = found.answers().iter().filter_map(|record| {
            // An alias or a signature may stand beside what was asked for.
            let RData::SRV(service) = &record.data else { return None };
            Some(Listed {
                host: service.target.to_utf8().trim_end_matches('.').to_owned(),
                priority: service.priority,
                weight: service.weight,
            })
        });
        Ok(listed.filter(|listed| !listed.host.is_empty()).collect())
    }

    /// Where a host is; `None` leaves it to the machine, which also knows its hosts file.
    pub async fn address(self, host: &str, limit: Duration) -> Option<IpAddr> {
        match self {
            Self::OfTheMachine => None,
            Self::At(_) => {
                let resolver = self.resolver().ok()?;
                within(limit, resolver.lookup_ip(format!("{host}."))).await.ok()?.iter().next()
            }
        }
    }

    fn resolver(self) -> Result<TokioResolver, NoAnswer> {
        let builder = match self {
            Self::OfTheMachine => TokioResolver::builder_tokio().map_err(|error| NoAnswer(error.to_string()))?,
            Self::At(server) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        builder.build().map_err(|error| NoAnswer(error.to_string()))
    }
}

async fn within<T, E: std::fmt::Display>(
    limit: Duration,
    question: impl Future<Output = Result<T, E>>,
) -> Result<T, NoAnswer> {
    let answer = tokio::time::timeout(limit, question).await;
    answer
        .map_err(|_| NoAnswer(format!("no answer within {} s", limit.as_secs())))?
        .map_err(|error| NoAnswer(error.to_string()))
}

//! What a claim and the router's settings make together.

use super::Context;
use crate::{
    dialect::service::{Claim, Options},
    path::PathMatch,
    policy::{HeaderFilter, HttpsRedirect, Policy},
    rule::{Rule, Timeouts},
    settings::Settings,
};

/// The rule by which `claim` serves `path`, of its own host or of `owner`'s.
pub(super) fn compile(
    claim: &Claim,
    path: PathMatch,
    owner: Option<&Claim>,
    context: &Context<'_>,
) -> Rule {
    let (options, settings) = (&claim.options, context.settings());
    let mut policies = policies(options, settings);
    // The host stays closed to whom its owner left out.
    policies.extend(owner.and_then(|owner| access(&owner.options, settings)));
    policies.sort_unstable();
    policies.dedup();
    Rule {
        path,
        app: context.app(claim),
        policies: policies.into(),
        backend: context.backend(claim),
        upstream: context.upstream(claim),
        timeouts: Timeouts {
            connect: options.connect_timeout.unwrap_or(settings.connect_timeout),
            tcp: options.tcp_timeout.unwrap_or(settings.tcp_timeout),
        },
        body_size: options.body_size.unwrap_or(settings.body_size),
        pages: context.pages(claim),
        head_size: options.head_size.or(settings.head_size),
        concurrency: options.concurrency.unwrap_or(settings.concurrency),
        compression: options
            .compression
            .unwrap_or(settings.compression.enabled)
            .then(|| settings.compression.clone()),
        headers: headers(options, settings).some(),
        origin: claim.origin(),
    }
}

fn policies(options: &Options, settings: &Settings) -> Vec<Policy> {
    let mut policies = vec![Policy::RequireEndpoint];
    policies.extend(access(options, settings));
    let rate = options.rate.unwrap_or(settings.rate);
    let burst = options.rate_burst.or(settings.rate_burst);
    policies.extend(rate.map(|rate| Policy::RateLimit(rate.limit(burst))));
    policies.extend(options.maintenance.then_some(Policy::Maintenance));
    if options.enforce_https || settings.enforce_https || settings.strict_transport.enabled {
        let port = settings.public_https_port;
        policies.push(Policy::HttpsRedirect(HttpsRedirect { port }));
    }
    policies
}

fn access(options: &Options, settings: &Settings) -> Option<Policy> {
    settings.access.with(options.access.as_ref()).map(Policy::AccessList)
}

fn headers(options: &Options, settings: &Settings) -> HeaderFilter {
    HeaderFilter {
        strict_transport: settings.strict_transport.header(),
        referrer_policy: options.referrer_policy.unwrap_or(settings.referrer_policy),
        request_ids: settings.request_ids,
        request_start: settings.request_start && !options.no_request_start,
    }
}

//! Settings that an operator changes while the node runs.

use crate::context::Context;
use crate::face::code::Code;
use crate::face::config::Config;
use crate::face::error::Error;
use crate::link::links::Links;
use crate::link::policy::PolicyUpdates;

/// Takes over the settings that may change while the node runs. Signed states keep their terms.
pub(crate) fn reconfigure(
    cx: &mut Context,
    links: &Links,
    policy: &mut PolicyUpdates,
    config: Config,
) -> Result<(), Error> {
    let old = cx.config();
    if config.network != old.network || config.chain_hash != old.chain_hash {
        let text = "a node belongs to one network for good";
        return Err(Error::new(Code::WrongNetwork, text));
    }
    let is_new_policy = config.policy != old.policy;
    cx.set_config(config);
    if is_new_policy {
        policy.changed(cx, links);
    }
    Ok(())
}

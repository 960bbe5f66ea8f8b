//! What handlers may call, in one struct. `wiring` fills it; everything in it is shared by all
//! connections.

use std::sync::Arc;

use crate::{
    clock::{Clock, Rng},
    metrics::Registry,
    purgatory::Timers,
    tasks::Spawn,
};

#[derive(Debug)]
pub struct Services {
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub spawn: Arc<dyn Spawn>,
    pub metrics: Arc<Registry>,
    pub timers: Arc<Timers>,
}

//! Which segments may go, decided purely.

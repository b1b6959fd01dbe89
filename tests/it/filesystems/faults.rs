//! Acts that fail, and kills before them, where a clone is one of the acts and names and bytes are written by a journal or
//! copied on write.

use super::disk::Kind;
use super::{Lab, on};
use crate::faults::{assert_survives, deploy, rollback_together};

fn deploys(lab: &Lab) {
    let place = Some(lab.sandbox.root().to_owned());
    assert_survives(&lab.sandbox, &deploy(&lab.sandbox, place));
}

fn rollbacks(lab: &Lab) {
    let place = Some(lab.sandbox.root().to_owned());
    assert_survives(&lab.sandbox, &rollback_together(&lab.sandbox, place));
}

#[test]
fn a_deploy_survives_faults_on_ext4() {
    on(Kind::Ext4, concat!(module_path!(), "::a_deploy_survives_faults_on_ext4"), deploys);
}

#[test]
fn a_deploy_survives_faults_on_xfs() {
    on(Kind::Xfs, concat!(module_path!(), "::a_deploy_survives_faults_on_xfs"), deploys);
}

#[test]
fn a_deploy_survives_faults_on_btrfs() {
    on(Kind::Btrfs, concat!(module_path!(), "::a_deploy_survives_faults_on_btrfs"), deploys);
}

#[test]
fn a_rollback_survives_faults_on_ext4() {
    on(Kind::Ext4, concat!(module_path!(), "::a_rollback_survives_faults_on_ext4"), rollbacks);
}

#[test]
fn a_rollback_survives_faults_on_xfs() {
    on(Kind::Xfs, concat!(module_path!(), "::a_rollback_survives_faults_on_xfs"), rollbacks);
}

#[test]
fn a_rollback_survives_faults_on_btrfs() {
    on(Kind::Btrfs, concat!(module_path!(), "::a_rollback_survives_faults_on_btrfs"), rollbacks);
}

//! Routes over hosted channels alone: an empty graph, first hops and hints.

mod support;

use steward_engine::io::Recipient;
use steward_graph::RouteError;
use steward_graph::limits::FINAL_EXPIRY_SLACK_BLOCKS;
use steward_onion::CreateError;
use steward_wire::{NodeId, Preimage, ShortChannelId};
use support::*;

#[test]
fn a_peer_is_paid_directly_without_a_fee() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('R', 100_000)];
    request.max_fee_msat = 0;
    let part = find_one(&graph(), &request);
    assert_eq!(deliver_msat(&request, &part, "R"), 50_000);
    assert_eq!((part.amount_msat, part.fee_msat), (50_000, 0));
    assert_eq!(part.cltv_expiry, HEIGHT + 1 + FINAL_DELTA + FINAL_EXPIRY_SLACK_BLOCKS);
}

#[test]
fn a_client_of_the_same_host_is_paid_by_its_hint() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 100_000)];
    request.hints = vec![hint('H', 'R')];
    let part = find_one(&graph(), &request);
    assert_eq!(deliver_msat(&request, &part, "HR"), 50_000);
    assert_eq!(part.fee_msat, hint_fee_msat(50_000));
    let delta = FINAL_DELTA + FINAL_EXPIRY_SLACK_BLOCKS + u32::from(HOST_DELTA);
    assert_eq!(part.cltv_expiry, HEIGHT + 1 + delta);
}

#[test]
fn of_two_hosts_the_cheaper_one_is_taken() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 100_000), first_hop('G', 100_000)];
    let mut cheaper = hint('G', 'R');
    cheaper[0].fee_base_msat = 999;
    request.hints = vec![hint('H', 'R'), cheaper];
    let part = find_one(&graph(), &request);
    assert_eq!(deliver_msat(&request, &part, "GR"), 50_000);
}

#[test]
fn a_host_that_the_payer_has_no_channel_with_is_passed_over() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 100_000)];
    let mut free = hint('G', 'R');
    free[0].fee_base_msat = 0;
    request.hints = vec![free, hint('H', 'R')];
    let part = find_one(&graph(), &request);
    assert_eq!(deliver_msat(&request, &part, "HR"), 50_000);
}

#[test]
fn a_hint_of_two_channels_is_followed() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 100_000)];
    request.hints = vec![[hint('H', 'G'), hint('G', 'R')].concat()];
    let part = find_one(&graph(), &request);
    assert_eq!(deliver_msat(&request, &part, "HGR"), 50_000);
    let at_g = 50_000 + hint_fee_msat(50_000);
    assert_eq!(part.amount_msat, at_g + hint_fee_msat(at_g));
}

#[test]
fn what_no_host_can_carry_alone_is_split_over_two() {
    let mut request = request(150_000);
    request.first_hops = vec![first_hop('H', 100_000), first_hop('G', 100_000)];
    request.hints = vec![hint('H', 'R'), hint('G', 'R')];
    request.mpp = true;
    let parts = find(&graph(), &request).unwrap();
    assert_eq!(parts.len(), 2);
    let way = |part: &steward_engine::io::RoutedPart| {
        if part.path[0].node_id == node('H').id { "HR" } else { "GR" }
    };
    assert_ne!(way(&parts[0]), way(&parts[1]));
    assert_ne!(parts[0].session_key, parts[1].session_key);
    let delivered = parts.iter().map(|part| deliver_msat(&request, part, way(part))).sum::<u64>();
    assert_eq!(delivered, 150_000);
    assert!(parts.iter().all(|part| part.amount_msat <= 100_000));
}

#[test]
fn a_channel_with_little_in_it_is_used_when_all_is_needed() {
    for (large_msat, small_msat, amount_msat) in
        [(603_000_000, 60_994_000, 615_000_000), (8_685_701_000, 96_300_000, 8_782_001_000)]
    {
        let mut request = request(amount_msat);
        request.first_hops = vec![first_hop('R', large_msat), first_hop('R', small_msat)];
        request.first_hops[1].short_channel_id = ShortChannelId(77);
        request.mpp = true;
        let parts = find(&graph(), &request).unwrap();
        let mut amounts: Vec<u64> = parts.iter().map(|part| part.amount_msat).collect();
        amounts.sort_unstable();
        assert_eq!(amounts.iter().sum::<u64>(), amount_msat);
        assert!(amounts[0] <= small_msat && amounts[1] <= large_msat, "{amounts:?}");
    }
}

#[test]
fn without_a_payment_secret_nothing_is_split() {
    let mut request = request(150_000);
    request.first_hops = vec![first_hop('H', 100_000), first_hop('G', 100_000)];
    request.hints = vec![hint('H', 'R'), hint('G', 'R')];
    request.mpp = true;
    request.recipient.payment_secret = None;
    let expected =
        RouteError::InsufficientBalance { spendable_msat: 100_000, needed_msat: 150_000 };
    assert_eq!(refusal(&graph(), &request), expected);
}

#[test]
fn a_spontaneous_payment_carries_its_preimage() {
    let mut request = request(50_000);
    let preimage = Preimage([3; 32]);
    request.payment_hash = preimage.hash();
    request.recipient = Recipient {
        payment_secret: None,
        total_msat: 50_000,
        metadata: None,
        keysend_preimage: Some(preimage),
    };
    request.first_hops = vec![first_hop('H', 100_000)];
    request.hints = vec![hint('H', 'R')];
    let part = find_one(&graph(), &request);
    assert_eq!(deliver_msat(&request, &part, "HR"), 50_000);
}

#[test]
fn a_hint_to_avoid_is_left_out_and_the_dearer_one_taken() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 100_000), first_hop('G', 100_000)];
    let mut dearer = hint('G', 'R');
    dearer[0].fee_base_msat = 5_000;
    request.hints = vec![hint('H', 'R'), dearer];
    request.avoid = vec![scid('H', 'R')];
    let part = find_one(&graph(), &request);
    assert_eq!(deliver_msat(&request, &part, "GR"), 50_000);
}

#[test]
fn a_payment_whose_only_hint_is_to_be_avoided_has_no_route() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 100_000)];
    request.hints = vec![hint('H', 'R')];
    request.avoid = vec![scid('H', 'R')];
    assert_eq!(refusal(&graph(), &request), RouteError::NoRoute);
}

#[test]
fn a_payment_whose_only_channel_is_to_be_avoided_has_no_channel() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 100_000)];
    request.hints = vec![hint('H', 'R')];
    request.avoid = vec![scid('P', 'H')];
    assert_eq!(refusal(&graph(), &request), RouteError::NoChannel);
}

#[test]
fn a_fee_at_the_limit_is_paid_and_one_above_is_refused() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 100_000)];
    request.hints = vec![hint('H', 'R')];
    let fee_msat = hint_fee_msat(50_000);
    request.max_fee_msat = fee_msat;
    assert_eq!(find_one(&graph(), &request).fee_msat, fee_msat);
    request.max_fee_msat = fee_msat - 1;
    let expected = RouteError::FeeTooHigh { needed_msat: fee_msat, max_fee_msat: fee_msat - 1 };
    assert_eq!(refusal(&graph(), &request), expected);
}

#[test]
fn a_balance_that_covers_the_amount_but_not_the_fee_is_told() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 50_000)];
    request.hints = vec![hint('H', 'R')];
    let needed_msat = 50_000 + hint_fee_msat(50_000);
    let expected = RouteError::InsufficientBalance { spendable_msat: 50_000, needed_msat };
    assert_eq!(refusal(&graph(), &request), expected);
}

#[test]
fn a_balance_on_the_wrong_channel_does_not_count() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 40_000), first_hop('G', 100_000)];
    request.hints = vec![hint('H', 'R')];
    let needed_msat = 50_000 + hint_fee_msat(50_000);
    let expected = RouteError::InsufficientBalance { spendable_msat: 40_000, needed_msat };
    assert_eq!(refusal(&graph(), &request), expected);
}

#[test]
fn an_amount_below_every_channels_minimum_is_refused() {
    let mut request = request(20);
    request.first_hops = vec![first_hop('R', 100_000)];
    request.max_fee_msat = 0;
    let expected = RouteError::AmountTooSmall { minimum_msat: 1_000 };
    assert_eq!(refusal(&graph(), &request), expected);
}

#[test]
fn an_unknown_payee_has_no_route() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 100_000)];
    assert_eq!(refusal(&graph(), &request), RouteError::NoRoute);
}

#[test]
fn a_payer_without_channels_is_told_so() {
    assert_eq!(refusal(&graph(), &request(50_000)), RouteError::NoChannel);
}

#[test]
fn a_host_pays_its_own_client_whose_hint_names_it() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('R', 100_000), first_hop('S', 100_000)];
    request.hints = vec![hint('P', 'R')];
    let part = find_one(&graph(), &request);
    assert_eq!(deliver_msat(&request, &part, "R"), 50_000);
}

#[test]
fn a_host_pays_its_own_client_whose_invoice_has_a_key_of_its_own() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('G', 100_000), first_hop('S', 100_000)];
    request.hints = vec![hint('P', 'R')];
    request.hints[0][0].scid = scid('P', 'S');
    let part = find_one(&graph(), &request);
    assert_eq!(deliver_msat(&request, &part, "R"), 50_000);
    assert_eq!((part.path[0].scid, part.fee_msat), (scid('P', 'S'), 0));
}

#[test]
fn a_hint_that_leads_through_the_payer_is_used_from_there_on() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 100_000)];
    request.hints = vec![[hint('G', 'P'), hint('P', 'H'), hint('H', 'R')].concat()];
    let part = find_one(&graph(), &request);
    assert_eq!(deliver_msat(&request, &part, "HR"), 50_000);
}

#[test]
fn a_hint_with_the_number_of_our_own_channel_is_left_out() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 100_000)];
    request.hints = vec![hint('H', 'R')];
    request.hints[0][0].scid = scid('P', 'H');
    assert_eq!(refusal(&graph(), &request), RouteError::NoRoute);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let mut good = request(50_000);
    good.first_hops = vec![first_hop('H', 100_000)];
    good.hints = vec![hint('H', 'R')];
    let graph = graph();

    let mut to_self = good.clone();
    to_self.destination = node('P').id;
    assert_eq!(refusal(&graph, &to_self), RouteError::ToSelf);

    let mut to_an_invalid_key = good.clone();
    to_an_invalid_key.destination = NodeId([0; 33]);
    assert_eq!(refusal(&graph, &to_an_invalid_key), RouteError::InvalidNodeId(NodeId([0; 33])));

    let mut of_nothing = good.clone();
    of_nothing.amount_msat = 0;
    assert_eq!(refusal(&graph, &of_nothing), RouteError::AmountTooSmall { minimum_msat: 1 });

    let mut of_all = good.clone();
    of_all.amount_msat = u64::MAX;
    assert_eq!(refusal(&graph, &of_all), RouteError::AmountTooLarge);

    let mut for_ever = good.clone();
    for_ever.final_cltv_expiry_delta_blocks = u32::MAX;
    assert_eq!(refusal(&graph, &for_ever), RouteError::ExpiryTooFar);

    let mut in_the_far_future = good.clone();
    in_the_far_future.height = u32::MAX;
    assert_eq!(refusal(&graph, &in_the_far_future), RouteError::Onion(CreateError::BadExpiry));
    assert!(find(&graph, &good).is_ok());
}

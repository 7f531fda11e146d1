package p2p

import (
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// dropCounter is a GossipSub tracer that counts what its three queues drop without a word.
type dropCounter struct{ m *metrics }

func (d dropCounter) DropRPC(*pubsub.RPC, peer.ID)         { d.m.drop(dropOutbound) }
func (d dropCounter) UndeliverableMessage(*pubsub.Message) { d.m.drop(dropSubscriber) }
func (d dropCounter) RejectMessage(_ *pubsub.Message, reason string) {
	switch reason {
	case pubsub.RejectValidationQueueFull, pubsub.RejectValidationThrottled:
		d.m.drop(dropValidation)
	case pubsub.RejectUnexpectedSignature, pubsub.RejectUnexpectedAuthInfo, pubsub.RejectMissingSignature, pubsub.RejectInvalidSignature:
		d.m.reject(rejectMalformed)
	}
}

func (dropCounter) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (dropCounter) OnClosedOutboundStream(peer.ID)           {}
func (dropCounter) Join(string)                              {}
func (dropCounter) Leave(string)                             {}
func (dropCounter) Graft(peer.ID, string)                    {}
func (dropCounter) Prune(peer.ID, string)                    {}
func (dropCounter) ValidateMessage(*pubsub.Message)          {}
func (dropCounter) DeliverMessage(*pubsub.Message)           {}
func (dropCounter) DuplicateMessage(*pubsub.Message)         {}
func (dropCounter) ThrottlePeer(peer.ID)                     {}
func (dropCounter) RecvRPC(*pubsub.RPC)                      {}
func (dropCounter) SendRPC(*pubsub.RPC, peer.ID)             {}

// Package wire is the one canonical encoding of everything that fatty signs, hashes or stores, and the domain tags
// under which it does so.
//
// Its parts: Marshal and Unmarshal (deterministic DAG-CBOR, strict), CID (a content id, CIDv1 DAG-CBOR SHA2-256, as an
// IPLD link), Hash (SHA-256 of a tagged tuple), Sign and Verify (Ed25519 under a domain).
//
//	block, err := wire.Marshal(record)          // the only bytes that record can have
//	id := wire.Sum(block)                       // its content id
//	sig := wire.Sign(key, wire.DomainVote, block)
//	var back Record
//	err = wire.Unmarshal(block, &back)          // refuses every other spelling of the same value
//
// Sources: the DAG-CBOR specification (ipld.io/specs/codecs/dag-cbor), RFC 8949 section 4.2, RFC 8032.
package wire

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

const (
	// MaxNesting bounds how deep a decoded value may nest: no fatty type is deeper than half of it.
	MaxNesting = 16
	// MaxElements bounds the elements of one array and the pairs of one map. A decoder meets the bound before it
	// allocates; each frame's own length limit is far below what would be needed to fill it.
	MaxElements = 1 << 17
)

// ErrNotCanonical is returned for bytes that decode but are not the one canonical encoding of what they say.
var ErrNotCanonical = errors.New("not canonical DAG-CBOR: encode the value again with sorted keys and shortest forms")

var (
	encoding = must(cbor.EncOptions{
		Sort:          cbor.SortLengthFirst, // DAG-CBOR keeps the key order of RFC 7049
		ShortestFloat: cbor.ShortestFloatNone,
		NaNConvert:    cbor.NaNConvertReject,
		InfConvert:    cbor.InfConvertReject,
		BigIntConvert: cbor.BigIntConvertReject,
		Time:          cbor.TimeUnix,
		IndefLength:   cbor.IndefLengthForbidden,
		NilContainers: cbor.NilContainerAsEmpty,
		TagsMd:        cbor.TagsAllowed,
	}.EncMode())
	decoding = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsAllowed,
		MaxNestedLevels:   MaxNesting,
		MaxArrayElements:  MaxElements,
		MaxMapPairs:       MaxElements,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		UTF8:              cbor.UTF8RejectInvalid,
		NaN:               cbor.NaNDecodeForbidden,
		Inf:               cbor.InfDecodeForbidden,
		BignumTag:         cbor.BignumTagForbidden,
	}.DecMode())
)

// must is for the two fixed modes above: options that do not fit together are a bug of this file.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Marshal returns the canonical encoding of v. Structs encode as maps keyed by their `cbor:"name"` tags, nil slices
// and maps as empty ones. It fails for values that have no canonical encoding (floats that are not finite, channels).
func Marshal(v any) ([]byte, error) {
	b, err := encoding.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b, nil
}

// Unmarshal decodes data into v and refuses whatever Marshal would not have written: unknown or duplicate fields,
// trailing bytes, long forms, unsorted keys. The caller bounds len(data) before.
func Unmarshal(data []byte, v any) error {
	if err := decoding.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	// No Go library refuses every non-canonical form, so the value is written again and compared.
	again, err := encoding.Marshal(v)
	if err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	if !bytes.Equal(again, data) {
		return fmt.Errorf("decode %T: %w", v, ErrNotCanonical)
	}
	return nil
}

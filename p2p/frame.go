package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A frame, as it stands on every stream of fatty's own:
//
//	length  4 bytes, big-endian: how many bytes follow
//	payload length bytes
//
// A response's payload starts with one status byte (see responseOK), so its length is at least 1.
const (
	frameHeader = 4
	// firstAlloc is what a reader allocates before the sender has sent anything: a peer that claims 4 MiB and then
	// falls silent costs this much and no more. The buffer doubles as bytes arrive.
	firstAlloc = 64 << 10
)

// Errors of the frame decoder.
var (
	// ErrFrameTooLarge is returned for a length prefix above the reader's bound; nothing was allocated for it.
	ErrFrameTooLarge = errors.New("frame is larger than allowed")
	// ErrFrameTruncated is returned for a stream that ended inside a frame.
	ErrFrameTruncated = errors.New("stream ended inside a frame")
)

// appendFrame appends the frame with the concatenated parts as payload. The caller has bounded them below 4 GiB.
func appendFrame(dst []byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(n))
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

// readFrame reads one frame with a payload of at most max bytes. It returns io.EOF only for a stream that ended
// between frames, and checks the length before it allocates. reserve, if not nil, is asked before the buffer grows by
// as many bytes, so that a resource manager can refuse.
func readFrame(r io.Reader, max int, reserve func(n int) error) ([]byte, error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, ErrFrameTruncated
		}
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if uint64(length) > uint64(max) {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFrameTooLarge, length, max)
	}
	return readPayload(r, int(length), reserve)
}

// readPayload reads exactly n bytes, in a buffer that doubles as they arrive.
func readPayload(r io.Reader, n int, reserve func(n int) error) ([]byte, error) {
	buf := make([]byte, 0, min(n, firstAlloc))
	reserved := firstAlloc
	for len(buf) < n {
		if len(buf) == cap(buf) {
			grown := min(2*cap(buf), n)
			if reserve != nil && grown > reserved {
				if err := reserve(grown - reserved); err != nil {
					return nil, fmt.Errorf("no memory left for a frame of %d bytes: %w", n, err)
				}
				reserved = grown
			}
			buf = append(make([]byte, 0, grown), buf...)
		}
		got, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+got]
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, ErrFrameTruncated
			}
			return nil, err
		}
	}
	return buf, nil
}

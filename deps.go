//go:build deps

package fatty

import (
	_ "github.com/BurntSushi/toml"
	_ "github.com/consensys/gnark-crypto/ecc/stark-curve"
	_ "github.com/consensys/gnark-crypto/field/koalabear/extensions"
	_ "github.com/consensys/gnark-crypto/field/koalabear/poseidon2"
	_ "github.com/consensys/gnark-crypto/field/koalabear/fft"
	_ "github.com/filecoin-project/go-jsonrpc"
	_ "github.com/fxamacker/cbor/v2"
	_ "github.com/ipfs/boxo/blockstore"
	_ "github.com/ipfs/go-cid"
	_ "github.com/ipfs/go-datastore"
	_ "github.com/ipfs/go-ds-leveldb"
	_ "github.com/ipld/go-car/v2"
	_ "github.com/ipld/go-car/v2/storage"
	_ "github.com/libp2p/go-libp2p"
	_ "github.com/libp2p/go-libp2p-kad-dht"
	_ "github.com/libp2p/go-libp2p-pubsub"
	_ "github.com/multiformats/go-multiaddr"
	_ "github.com/multiformats/go-multihash"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/spf13/cobra"
	_ "github.com/syndtr/goleveldb/leveldb"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/term"
	_ "golang.org/x/crypto/scrypt"
	_ "pgregory.net/rapid"
	_ "github.com/anishathalye/porcupine"
)

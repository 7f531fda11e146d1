// Package home is a node's or a person's folder on disk: $FATTY_HOME or ~/.fatty, with config.toml, genesis.json, keys/,
// data/, and the files api and token that tell local tools where JSON-RPC listens and what opens its admin calls.
//
// Its parts: Home (the folder and its lock), Config (config.toml and FATTY_* overrides), Genesis (what all validators of
// one chain agree on before they start).
//
//	h, err := home.Open(path)          // locked: a second process is refused
//	defer h.Close()
//	cfg, err := h.Config()
//	gen, err := h.Genesis()
package home

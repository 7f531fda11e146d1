package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/keyfile"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "key", Short: "Make, show or replace an Ed25519 key",
		Long: "Keys sign transactions; an account on the ledger is a public key. The file has mode 0600 and can be sealed by a\n" +
			"passphrase, asked for on the terminal or taken from $FATTY_PASSPHRASE.",
	}
	c.AddCommand(a.keyNew(), a.keyShow(), a.keyRotate())
	return c
}

// keyInfo is what the key commands print.
type keyInfo struct {
	Key  string `json:"key"`
	Peer string `json:"peer"`
	File string `json:"file"`
	Old  string `json:"old,omitempty"` // rotate: where the replaced key is now
}

func (a *app) showKey(key ed25519.PrivateKey, file, old string) error {
	pub := keyfile.Public(key)
	info := keyInfo{keyfile.Text(pub), lockspace.AccountID(pub).PeerID(), file, old}
	a.show(info, func(w io.Writer) {
		fmt.Fprintf(w, "key   %s\npeer  %s\nfile  %s\n", info.Key, info.Peer, info.File)
		if old != "" {
			fmt.Fprintf(w, "old   %s\nThe new key has no account yet: fatty account grant %s --key %s\n", old, info.Key, old)
		}
	})
	return nil
}

// keyArg is the file that a key command works on.
func (a *app) keyArg(args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	return a.keyPath()
}

func (a *app) keyNew() *cobra.Command {
	var seal bool
	c := &cobra.Command{
		Use: "new [FILE]", Short: "Make a key; an existing file is never overwritten", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := a.keyArg(args)
			if err != nil {
				return err
			}
			pass, err := a.newPassphrase(seal)
			if err != nil {
				return err
			}
			key, err := keyfile.New()
			if err != nil {
				return err
			}
			if err := keyfile.Write(path, key, pass); err != nil {
				return coded{"write", err}
			}
			return a.showKey(key, path, "")
		},
	}
	c.Flags().BoolVar(&seal, "passphrase", false, "seal the key by a passphrase")
	return c
}

func (a *app) keyShow() *cobra.Command {
	return &cobra.Command{
		Use: "show [FILE]", Short: "Print the public key and its peer id", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := a.keyArg(args)
			if err != nil {
				return err
			}
			key, err := keyfile.Read(path, a.askPassphrase)
			if err != nil {
				return coded{"key", err}
			}
			return a.showKey(key, path, "")
		},
	}
}

func (a *app) keyRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate [FILE]", Short: "Put a new key in a key's place and keep the old one beside it", Args: cobra.MaximumNArgs(1),
		Long: "Makes a new key under the file's name. The old key stays beside it, named by the first digits of its public key: its\n" +
			"account and what it holds are still its own, and with the right to grant it can give the new key an account. A sealed\n" +
			"key is replaced by one sealed with the same passphrase.",
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := a.keyArg(args)
			if err != nil {
				return err
			}
			var pass []byte
			old, err := keyfile.Read(path, func() ([]byte, error) {
				pass, err = a.askPassphrase()
				return pass, err
			})
			if err != nil {
				return coded{"key", err}
			}
			key, err := keyfile.New()
			if err != nil {
				return err
			}
			aside := path + "." + keyfile.Text(keyfile.Public(old))[:8]
			if _, err := os.Lstat(aside); err == nil {
				return codedf("write", "%s is there already: move it away first", aside)
			}
			if err := os.Rename(path, aside); err != nil {
				return coded{"write", err}
			}
			if err := keyfile.Write(path, key, pass); err != nil {
				return coded{"write", errors.Join(err, os.Rename(aside, path))}
			}
			return a.showKey(key, path, aside)
		},
	}
}

// askPassphrase gets the passphrase of a sealed key.
func (a *app) askPassphrase() ([]byte, error) {
	if p, ok := os.LookupEnv("FATTY_PASSPHRASE"); ok {
		return []byte(p), nil
	}
	return a.promptPassphrase("passphrase: ")
}

func (a *app) promptPassphrase(prompt string) ([]byte, error) {
	f, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, codedf("passphrase", "a passphrase is needed: set FATTY_PASSPHRASE or run from a terminal")
	}
	fmt.Fprint(a.err, prompt)
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(a.err)
	return b, err
}

// newPassphrase gets a passphrase for a new key, twice where a person types it.
func (a *app) newPassphrase(seal bool) ([]byte, error) {
	if !seal {
		return nil, nil
	}
	p, ok := os.LookupEnv("FATTY_PASSPHRASE")
	if !ok {
		first, err := a.promptPassphrase("new passphrase: ")
		if err != nil {
			return nil, err
		}
		again, err := a.promptPassphrase("once more: ")
		if err != nil {
			return nil, err
		}
		if string(first) != string(again) {
			return nil, codedf("passphrase", "the two differ: nothing was written")
		}
		p = string(first)
	}
	if strings.TrimSpace(p) == "" {
		return nil, codedf("passphrase", "an empty passphrase seals nothing: choose one, or leave --passphrase away")
	}
	return []byte(p), nil
}

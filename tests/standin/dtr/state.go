package dtr

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A replica's memory is in its volume dtr-rethink-ID, as JSON, so that it outlives its containers and can be damaged:
//
//	state.json     what the replicas agree on: members, settings, tables
//	reported.json  when each replica was last known to be well
//	filler         how many bytes of filler a backup has, as text; for big backups
const (
	dataDir = "/data" // where the volume dtr-rethink-ID is
	caDir   = "/ca"   // and dtr-ca-ID
)

// settings are what the caller of the bootstrap chose.
type settings struct {
	UCPURL      string
	UCPCA       string
	UCPInsecure bool
	ExternalURL string
	Storage     string // "default", "volume:NAME" or the NFS URL
	CACert      string // PEM; every replica's certificate is signed by it
	CAKey       string
}

// state is common to all replicas. Epoch grows with each change of members, Seq with each write.
type state struct {
	Cluster  string
	Replica  string // whose copy this is
	Version  string
	Epoch    int
	Seq      int
	Members  []string
	Address  map[string]string // of each member's database: host:port
	Settings settings
	Tables   map[string][]json.RawMessage
}

func (s *state) newer(than *state) bool {
	return s.Cluster == than.Cluster && (s.Epoch > than.Epoch || s.Epoch == than.Epoch && s.Seq > than.Seq)
}

func (s *state) has(id string) bool { return contains(s.Members, id) }

func contains(list []string, word string) bool {
	for _, one := range list {
		if one == word {
			return true
		}
	}
	return false
}

// without is list without the words.
func without(list []string, words ...string) []string {
	left := []string{}
	for _, one := range list {
		if !contains(words, one) {
			left = append(left, one)
		}
	}
	return left
}

// parseState refuses what a replica cannot have written.
func parseState(text []byte) (*state, error) {
	s := &state{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("the data is corrupt: %w", err)
	}
	if s.Cluster == "" || s.Replica == "" || s.Version == "" || !s.has(s.Replica) {
		return nil, errors.New("the data is corrupt: it belongs to no replica")
	}
	return s, nil
}

func loadState(dir string) (*state, error) {
	text, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		return nil, err
	}
	return parseState(text)
}

func (s *state) save(dir string) error { return saveJSON(filepath.Join(dir, "state.json"), s) }

// reports are the times at which replicas were last well.
type reports map[string]time.Time

func loadReports(dir string) reports {
	r := reports{}
	if text, err := os.ReadFile(filepath.Join(dir, "reported.json")); err == nil {
		json.Unmarshal(text, &r) // evidence only: without it, none is known
	}
	return r
}

func (r reports) save(dir string) error { return saveJSON(filepath.Join(dir, "reported.json"), r) }

func saveJSON(path string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return saveFile(path, append(text, '\n'), 0o600)
}

// saveFile leaves the old file or the new one, whatever happens.
func saveFile(path string, text []byte, mode os.FileMode) error {
	aside := path + ".new"
	file, err := os.OpenFile(aside, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if bad := file.Close(); err == nil {
		err = bad
	}
	if err != nil {
		return err
	}
	return os.Rename(aside, path)
}

package dtr

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

// A backup is a tar: dtr-backup-vVERSION/rethink/TABLE/N, and the certificates. Its last file tells that it is whole.
const (
	fillerTable = "blobs_scan_data" // makes backups big
	fillerChunk = 64 << 20
	lastFile    = "complete"
)

// fillerSize is the number in the volume's file `filler`, if there is one: bytes, or with K, M or G.
func fillerSize(dir string) int64 {
	text, err := os.ReadFile(filepath.Join(dir, "filler"))
	if err != nil {
		return 0
	}
	word, unit := strings.TrimSpace(string(text)), int64(1)
	for suffix, factor := range map[string]int64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30} {
		if strings.HasSuffix(word, suffix) {
			word, unit = strings.TrimSuffix(word, suffix), factor
		}
	}
	n, _ := strconv.ParseInt(word, 10, 64)
	return n * unit
}

// noise is bytes that hardly compress, always the same ones.
type noise uint64

func (n *noise) Read(p []byte) (int, error) {
	x := uint64(*n)
	for i := range p {
		if i%8 == 0 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
		p[i] = byte(x >> (8 * (i % 8)))
	}
	*n = noise(x)
	return len(p), nil
}

// export writes a replica's backup.
func export(out io.Writer, dir string) error {
	s, err := loadState(dir)
	if err != nil {
		return err
	}
	w, when := tar.NewWriter(out), time.Now()
	top := "dtr-backup-v" + s.Version + "/"
	add := func(name string, size int64, body io.Reader) error {
		head := &tar.Header{Name: top + name, Mode: 0o600, Size: size, ModTime: when, Typeflag: tar.TypeReg}
		if strings.HasSuffix(top+name, "/") {
			head.Mode, head.Typeflag = 0o700, tar.TypeDir
		}
		if err := w.WriteHeader(head); err != nil || size == 0 {
			return err
		}
		_, err := io.Copy(w, body)
		return err
	}
	text := func(name, body string) error { return add(name, int64(len(body)), strings.NewReader(body)) }

	tables := map[string][]json.RawMessage{"layers": nil, "manifests": nil, "tags": nil, "repositories": nil, "crons": nil}
	for name, rows := range s.Tables {
		tables[name] = rows
	}
	bare := *s
	bare.Tables, bare.Settings.CACert, bare.Settings.CAKey = nil, "", ""
	properties, err := json.Marshal(bare)
	if err != nil {
		return err
	}
	tables["properties"] = []json.RawMessage{properties}
	names := []string{}
	for name := range tables {
		names = append(names, name)
	}
	sort.Strings(names)
	if err = text("", ""); err == nil {
		err = text("rethink/", "")
	}
	for _, name := range names {
		if err == nil {
			err = text("rethink/"+name+"/", "")
		}
		for i, row := range tables[name] {
			if err == nil {
				err = text(fmt.Sprintf("rethink/%s/%d", name, i), string(row))
			}
		}
	}
	if left := fillerSize(dir); left > 0 && err == nil {
		err = text("rethink/"+fillerTable+"/", "")
		source := noise(0x9E3779B97F4A7C15)
		for i := 0; left > 0 && err == nil; i++ {
			size := left
			if size > fillerChunk {
				size = fillerChunk
			}
			err = add(fmt.Sprintf("rethink/%s/%d", fillerTable, i), size, io.LimitReader(&source, size))
			left -= size
		}
	}
	for _, file := range [][2]string{{"certs/", ""}, {"certs/ca.pem", s.Settings.CACert}, {"certs/ca-key.pem", s.Settings.CAKey}, {lastFile, "yes\n"}} {
		if err == nil {
			err = text(file[0], file[1])
		}
	}
	if err != nil {
		return err
	}
	return w.Close()
}

// backupVersion reads the version from the first block of a backup.
func backupVersion(block []byte) (string, error) {
	name, _, _ := strings.Cut(string(block), "\x00")
	top, _, _ := strings.Cut(name, "/")
	version := strings.TrimPrefix(top, "dtr-backup-v")
	if version == top || version == "" {
		return "", errors.New("the input is not a backup of Docker Trusted Registry")
	}
	return version, nil
}

// load reads a backup: the state that it holds, and how much filler.
func load(in io.Reader) (*state, int64, error) {
	r := tar.NewReader(in)
	var s *state
	var cert, key string
	var filler int64
	tables, whole := map[string][]json.RawMessage{}, false
	for {
		head, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, 0, fmt.Errorf("the backup is corrupt: %w", err)
		}
		_, name, _ := strings.Cut(path.Clean(head.Name), "/")
		table, _, row := strings.Cut(strings.TrimPrefix(name, "rethink/"), "/")
		row = row && strings.HasPrefix(name, "rethink/") && head.Typeflag == tar.TypeReg
		if row && table == fillerTable {
			n, err := io.Copy(io.Discard, r)
			if err != nil {
				return nil, 0, fmt.Errorf("the backup is corrupt: %w", err)
			}
			filler += n
			continue
		}
		text, err := io.ReadAll(io.LimitReader(r, 16<<20))
		switch {
		case err != nil:
			return nil, 0, fmt.Errorf("the backup is corrupt: %w", err)
		case row && table == "properties":
			if s, err = parseState(text); err != nil {
				return nil, 0, err
			}
		case row && !json.Valid(text):
			return nil, 0, fmt.Errorf("the backup is corrupt: %s is not readable", name)
		case row:
			tables[table] = append(tables[table], text)
		case name == "certs/ca.pem":
			cert = string(text)
		case name == "certs/ca-key.pem":
			key = string(text)
		case name == lastFile:
			whole = true
		}
	}
	if s == nil || !whole {
		return nil, 0, errors.New("the backup is corrupt: it ends too early")
	}
	if _, _, err := parseCA(cert, key); err != nil {
		return nil, 0, fmt.Errorf("the backup is corrupt: %w", err)
	}
	s.Tables, s.Settings.CACert, s.Settings.CAKey = tables, cert, key
	return s, filler, nil
}

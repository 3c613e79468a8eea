package ucp

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path"
	"sort"
	"strings"
	"time"

	"standin/internal/docker"
)

// host is the engine whose socket is mounted.
type host struct{ *docker.Client }

// self is the engine's part in the swarm.
type self struct {
	ID, Host, Addr, Cluster string
	Active, Manager         bool
	Error                   string
}

func local() host { return host{docker.Unix(socket).WithTimeout(30 * time.Second)} }

func (h host) self() (self, error) {
	var info struct {
		Name  string
		Swarm struct {
			NodeID, NodeAddr, LocalNodeState, Error string
			ControlAvailable                        bool
			Cluster                                 struct{ ID string }
		}
	}
	err := h.Do("GET", "/info", nil, &info)
	s := info.Swarm
	return self{s.NodeID, info.Name, s.NodeAddr, s.Cluster.ID, s.LocalNodeState != "" && s.LocalNodeState != "inactive", s.ControlAvailable, s.Error}, err
}

// ---- the swarm

type node struct {
	ID   string
	Spec struct{ Role string }

	Description struct{ Hostname string }
	Status      struct{ State, Addr string }
	Manager     *struct {
		Leader bool
		Addr   string
	} `json:"ManagerStatus"`
}

func (n node) addr() string {
	if n.Manager != nil {
		if addr, _, err := net.SplitHostPort(n.Manager.Addr); err == nil && addr != "" && addr != "0.0.0.0" {
			return addr
		}
	}
	return n.Status.Addr
}

func (h host) nodes() ([]node, error) {
	var list []node
	err := h.WithTimeout(8*time.Second).Do("GET", "/nodes", nil, &list)
	sort.Slice(list, func(i, j int) bool { return list[i].Description.Hostname < list[j].Description.Hostname })
	return list, err
}

func filter(key, value string) string {
	return "filters=" + url.QueryEscape(fmt.Sprintf("{%q:[%q]}", key, value))
}

// service makes a global service whose tasks run this image with the engine's socket.
func (h host) service(name, role string, args []string, again string, labels map[string]string, secrets []any) error {
	container := map[string]any{
		"Image": image("ucp-agent"), "Command": []string{"/standin", role}, "Args": args, "Env": []string{"UCP_VERSION=" + Version()},
		"Labels": labels,
		"Mounts": []any{map[string]any{"Type": "bind", "Source": socket, "Target": socket}},
	}
	if secrets != nil {
		container["Secrets"] = secrets
	}
	return h.Do("POST", "/services/create", map[string]any{
		"Name": name, "Labels": labels, "Mode": map[string]any{"Global": map[string]any{}},
		"TaskTemplate": map[string]any{"ContainerSpec": container, "Networks": []any{map[string]string{"Target": "host"}},
			"RestartPolicy": map[string]any{"Condition": again, "Delay": int64(time.Second)}},
	}, nil)
}

func gone(err error) error {
	if docker.NotFound(err) {
		return nil
	}
	return err
}

// everywhere runs a task once on every node and tells how it ended on each: "complete", "failed", or what it came to in time.
func (h host) everywhere(name string, args []string, limit time.Duration) (ended map[string]string, hosts map[string]string, err error) {
	if err := gone(h.Do("DELETE", "/services/"+name, nil, nil)); err != nil {
		return nil, nil, err
	}
	if err := h.service(name, "ucp-node-task", args, "none", map[string]string{labelVersion: Version()}, nil); err != nil {
		return nil, nil, err
	}
	defer h.Do("DELETE", "/services/"+name, nil, nil)
	for deadline := time.Now().Add(limit); ; time.Sleep(500 * time.Millisecond) {
		nodes, err := h.nodes()
		if err != nil {
			return nil, nil, err
		}
		var tasks []struct {
			NodeID string
			Status struct{ State string }
		}
		if err := h.Do("GET", "/tasks?"+filter("service", name), nil, &tasks); err != nil {
			return nil, nil, err
		}
		ended, hosts = map[string]string{}, map[string]string{}
		open, down := 0, 0
		for _, n := range nodes {
			hosts[n.ID], ended[n.ID] = n.Description.Hostname, "pending"
			for _, t := range tasks {
				if t.NodeID == n.ID && ended[n.ID] != "complete" {
					ended[n.ID] = t.Status.State
				}
			}
			switch ended[n.ID] {
			case "complete", "failed", "rejected":
			default:
				open++
				if n.Status.State == "down" {
					down++
				}
			}
		}
		if open == 0 || time.Now().After(deadline) || (down == open && time.Until(deadline) < limit*2/3) {
			return ended, hosts, nil
		}
	}
}

// ---- what is on this engine

type thing struct {
	ID     string `json:"Id"`
	Names  []string
	Name   string
	State  string
	Labels map[string]string
}

// ours are the containers called ucp-*, by name.
func (h host) ours() (map[string]thing, error) {
	var list []thing
	if err := h.Do("GET", "/containers/json?all=1", nil, &list); err != nil {
		return nil, err
	}
	all := map[string]thing{}
	for _, c := range list {
		for _, name := range c.Names {
			if name = strings.TrimPrefix(name, "/"); strings.HasPrefix(name, "ucp-") {
				all[name] = c
			}
		}
	}
	return all, nil
}

func (h host) ourVolumes() ([]thing, error) {
	var list struct{ Volumes []thing }
	if err := h.Do("GET", "/volumes", nil, &list); err != nil {
		return nil, err
	}
	some := []thing{}
	for _, v := range list.Volumes {
		if strings.HasPrefix(v.Name, "ucp-") {
			some = append(some, v)
		}
	}
	return some, nil
}

// left are UCP's containers and volumes on this engine; those of services of the swarm do not count.
func (h host) left() (containers, named []string, err error) {
	ours, err := h.ours()
	if err != nil {
		return nil, nil, err
	}
	for name, c := range ours {
		if c.Labels["com.docker.swarm.service.name"] == "" {
			containers = append(containers, name)
		}
	}
	list, err := h.ourVolumes()
	for _, v := range list {
		named = append(named, v.Name)
	}
	sort.Strings(containers)
	return containers, named, err
}

// clear removes them.
func (h host) clear() error {
	// What restarts, or is being made anew by an agent that does not rest yet, is in the way for a moment.
	err := h.clearOnce()
	for deadline := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(deadline); err = h.clearOnce() {
		time.Sleep(300 * time.Millisecond)
	}
	return err
}

func (h host) clearOnce() error {
	containers, named, err := h.left()
	if err != nil {
		return err
	}
	var abandoned []thing
	if err := h.Do("GET", "/containers/json?all=1&"+filter("label", carrying), nil, &abandoned); err != nil {
		return err
	}
	for _, c := range abandoned {
		containers = append(containers, c.ID)
	}
	for _, name := range containers {
		if err := gone(h.Do("DELETE", "/containers/"+name+"?force=1&v=1", nil, nil)); err != nil {
			return err
		}
	}
	for _, name := range named {
		if err := gone(h.Do("DELETE", "/volumes/"+name+"?force=1", nil, nil)); err != nil {
			return err
		}
	}
	return nil
}

// ---- files in volumes, through a container that is never started

// carrying is the label of carriers: one whose process was killed stays behind, and keeps the volumes in use.
const carrying = "com.docker.ucp.standin.carrier"

// carrier mounts volumes at /v/NAME.
type carrier struct {
	host
	id string
}

func (h host) carrier(named []string) (*carrier, error) {
	binds := []string{}
	for _, name := range named {
		binds = append(binds, name+":/v/"+name)
	}
	var made struct{ ID string }
	err := h.Do("POST", "/containers/create", map[string]any{"Image": image("ucp"), "Entrypoint": []string{"/standin", "ucp-dsinfo"}, "Labels": map[string]string{carrying: "true"},
		"HostConfig": map[string]any{"Binds": binds, "NetworkMode": "none"}}, &made)
	return &carrier{h, made.ID}, err
}

func (c *carrier) close() { c.Do("DELETE", "/containers/"+c.id+"?force=1", nil, nil) }

func (c *carrier) has(file string) bool {
	_, err := c.read(file)
	return err == nil
}

// read is one file: "VOLUME/PATH".
func (c *carrier) read(file string) ([]byte, error) {
	files, err := c.all(file)
	if err != nil {
		return nil, err
	}
	for _, text := range files {
		return text, nil
	}
	return nil, errors.New(file + " is no file")
}

// all are the files below a volume or a folder of one, by their path from there on.
func (c *carrier) all(at string) (map[string][]byte, error) {
	stream, err := c.Stream("GET", "/containers/"+c.id+"/archive?path="+url.QueryEscape("/v/"+at), nil, "")
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	files := map[string][]byte{}
	for in := tar.NewReader(stream); ; {
		head, err := in.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if head.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		files[path.Clean(head.Name)] = text
	}
}

// write puts files into a volume; the file that makes it whole comes last.
func (c *carrier) write(volume string, files map[string][]byte) error {
	for _, last := range []bool{false, true} {
		some := map[string][]byte{}
		for name, text := range files {
			if (name == seedFile) == last {
				some[name] = text
			}
		}
		if len(some) == 0 {
			continue
		}
		var archive bytes.Buffer
		if err := pack(&archive, "", some); err != nil {
			return err
		}
		where := "/containers/" + c.id + "/archive?path=" + url.QueryEscape("/v/"+volume)
		res, err := c.Raw(context.Background(), "PUT", where, &archive, "application/x-tar")
		if err != nil {
			return err
		}
		said, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16))
		res.Body.Close()
		if res.StatusCode >= 300 {
			return fmt.Errorf("the volume %s takes no files: %s", volume, said)
		}
	}
	return nil
}

// pack writes files as a tar, sorted, with their folders.
func pack(to io.Writer, prefix string, files map[string][]byte) error {
	names := []string{}
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	out, made := tar.NewWriter(to), map[string]bool{}
	for _, name := range names {
		parts := strings.Split(path.Dir(name), "/")
		for i := range parts {
			dir := strings.Join(parts[:i+1], "/")
			if dir == "." || made[dir] {
				continue
			}
			made[dir] = true
			if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: prefix + dir + "/", Mode: 0o755, ModTime: time.Now()}); err != nil {
				return err
			}
		}
		head := &tar.Header{Typeflag: tar.TypeReg, Name: prefix + name, Mode: 0o600, Size: int64(len(files[name])), ModTime: time.Now()}
		if err := out.WriteHeader(head); err != nil {
			return err
		}
		if _, err := out.Write(files[name]); err != nil {
			return err
		}
	}
	return out.Close()
}

// volume makes one, labelled, unless it is there.
func (h host) volume(name string, labels map[string]string) error {
	return h.Do("POST", "/volumes/create", map[string]any{"Name": name, "Labels": labels}, nil)
}

package dtr

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// log writes lines as logrus does: with colours' short form on a terminal, and key=value elsewhere.
type log struct {
	to    io.Writer
	tty   bool
	began time.Time
	exit  func(int)
}

func logger() *log {
	info, err := os.Stderr.Stat()
	return &log{os.Stderr, err == nil && info.Mode()&os.ModeCharDevice != 0, time.Now(), os.Exit}
}

func (l *log) line(level, short, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if l.tty {
		fmt.Fprintf(l.to, "%s[%04d] %s\n", short, int(time.Since(l.began).Seconds()), text)
		return
	}
	// logrus quotes once, and leaves no line break inside.
	fmt.Fprintf(l.to, "time=%q level=%s msg=%q\n", time.Now().UTC().Format(time.RFC3339), level, strings.TrimSpace(text))
}

func (l *log) info(format string, args ...any)    { l.line("info", "INFO", format, args...) }
func (l *log) warning(format string, args ...any) { l.line("warning", "WARN", format, args...) }

// fatal does not return.
func (l *log) fatal(format string, args ...any) {
	l.line("fatal", "FATA", format, args...)
	l.exit(1)
}

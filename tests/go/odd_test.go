package tests

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protodelim"

	v1 "cmdmox/internal/v1"
)

// oddServer stands in for `cmdmox serve --stdio`, and is odd.
//
//	refuses  answers Hello with an error
//	refuses and leaves  the same, and exits at once
//	version  answers Hello with a version that nobody asked for
//	garbage  writes what is no frame
//	silent   never writes anything
//	ends     says something on stderr and exits with 3
//	leaves   answers Hello, and the first request with GoAway
//	shorter  answers Hello, and each request with a payload that does not parse
//	half     answers Hello, and closes its output in the middle of a frame
//	deaf     answers Hello, and reads nothing from then on
func oddServer(odd string) {
	in := bufio.NewReader(os.Stdin)
	read := func() *v1.Frame {
		frame := &v1.Frame{}
		if protodelim.UnmarshalFrom(in, frame) != nil {
			os.Exit(0)
		}
		return frame
	}
	write := func(frame *v1.Frame) {
		var data bytes.Buffer
		_, _ = protodelim.MarshalTo(&data, frame)
		_, _ = os.Stdout.Write(data.Bytes())
	}
	greeted := func(version uint32) {
		read()
		write(&v1.Frame{Body: &v1.Frame_HelloReply{HelloReply: &v1.HelloReply{Result: &v1.HelloReply_Ok{Ok: &v1.HelloOk{Version: version}}}}})
	}
	switch odd {
	case "refuses", "refuses and leaves":
		read()
		refused := &v1.Status{Code: 9, Reason: "VERSION_MISMATCH", Message: "this server speaks versions 2 to 3, you speak 1 to 1"}
		write(&v1.Frame{Body: &v1.Frame_HelloReply{HelloReply: &v1.HelloReply{Result: &v1.HelloReply_Error{Error: refused}}}})
		if odd == "refuses" {
			break
		}
		os.Exit(0)
	case "version":
		greeted(2)
	case "garbage":
		_, _ = os.Stdout.Write(bytes.Repeat([]byte("Usage: cmdmox [OPTIONS] "), 100))
	case "ends":
		fmt.Fprintln(os.Stderr, "cmdmox: no usable temporary directory")
		os.Exit(3)
	case "leaves":
		greeted(1)
		read()
		write(&v1.Frame{Body: &v1.Frame_GoAway{GoAway: &v1.GoAway{
			Status: &v1.Status{Code: 3, Reason: "BAD_FRAME", Message: "that was no frame"}}}})
	case "shorter":
		greeted(1)
		for {
			write(&v1.Frame{Id: read().Id, Body: &v1.Frame_Response{Response: &v1.Response{
				Result: &v1.Response_Payload{Payload: []byte{0x0a, 0xff}}}}})
		}
	case "half":
		greeted(1)
		read()
		_, _ = os.Stdout.Write([]byte{0x20, 0x08})
		_ = os.Stdout.Close()
	case "deaf":
		greeted(1)
		select {}
	}
	_, _ = io.Copy(io.Discard, in)
	os.Exit(0)
}

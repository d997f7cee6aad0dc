// Frames: in pieces from a stream, and as bytes. The one thing encoded by hand is the length prefix.
import { fromBinary, toBinary } from '@bufbuild/protobuf';

import { FrameSchema, type Frame } from './v1/frame_pb.js';

export const FRAME_MOST = 16 << 20;

/** A frame with its length in front, as a varint. */
export function packed(frame: Frame): { prefix: Buffer; body: Uint8Array } {
  const body = toBinary(FrameSchema, frame);
  const prefix: number[] = [];
  let length = body.length;
  for (; length > 0x7f; length >>>= 7) prefix.push((length & 0x7f) | 0x80);
  prefix.push(length);
  return { prefix: Buffer.from(prefix), body };
}

/** Cuts a stream into frames. */
export class Cutter {
  private pieces: Buffer[] = [];
  private held = 0;
  private wanted = 1;

  constructor(private readonly take: (frame: Frame) => void) {}

  /** Throws where what comes is no frame. */
  add(data: Buffer): void {
    this.pieces.push(data);
    this.held += data.length;
    if (this.held < this.wanted) return; // joined once for a long frame, not for each piece
    let rest = this.pieces.length === 1 ? data : Buffer.concat(this.pieces);
    for (;;) {
      const [length, begin] = lengthOf(rest);
      this.wanted = begin ? begin + length : rest.length + 1;
      if (rest.length < this.wanted) break;
      this.take(fromBinary(FrameSchema, rest.subarray(begin, this.wanted)));
      rest = rest.subarray(this.wanted);
    }
    this.pieces = [rest];
    this.held = rest.length;
  }
}

/** The length of the frame there, and where it begins; 0: the length is not whole. */
function lengthOf(data: Buffer): [number, number] {
  let length = 0;
  for (let at = 0; at < data.length && at < 5; at++) {
    const byte = data[at] ?? 0;
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80 || at === 4) {
      if (length > FRAME_MOST || byte >= 0x80) throw new Error(`a length of ${length} bytes`);
      return [length, at + 1];
    }
  }
  return [0, 0];
}

// The one entry of the package; src/index.mts is the same for import.
export { FrameSchema } from './v1/frame_pb.js';

import { basename } from 'node:path';

export const handler = async () => ({ file: basename(import.meta.url) });

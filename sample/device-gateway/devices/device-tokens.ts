import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Settings } from '../settings.js';

/** Each device has a token of its own, which follows from its name and the secret: there is no list to keep. */
@Injectable()
export class DeviceTokens {
  constructor(private readonly config: ConfigService<Settings, true>) {}

  tokenOf(name: string): string {
    const secret = this.config.get('DEVICE_SECRET', { infer: true });
    return createHmac('sha256', secret).update(name).digest('hex');
  }

  accepts(name: string, token: string): boolean {
    const expected = Buffer.from(this.tokenOf(name));
    const given = Buffer.from(token);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}

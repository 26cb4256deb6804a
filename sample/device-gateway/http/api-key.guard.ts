import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Settings } from '../settings.js';

/** Lets callers in who know the key: `Authorization: Bearer <API_KEY>`. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(private readonly config: ConfigService<Settings, true>) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: { authorization?: string } }>();
    const expected = `Bearer ${this.config.get('API_KEY', { infer: true })}`;
    return timingSafeEqual(digest(request.headers.authorization ?? ''), digest(expected));
  }
}

/** Of the same length whatever it is of. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ApplicationConfig, DiscoveryService, HttpAdapterHost, MetadataScanner } from '@nestjs/core';
import 'reflect-metadata';
import { bareHandler, type BareMethods } from '../server/handlers/bare-methods.js';
import { HANDLER_MARKER, type HandlerMarker } from '../server/handlers/handler-marker.js';
import type { NestHandler } from '../server/handlers/nest-handler.js';
import { GevServers } from '../server/gev-servers.js';
import { PATTERN_EXTRAS, prototypeOf } from './gev-handler.explorer.js';

/** Where Nest keeps what is bound to a class or method, and the parameters that are decorated. */
const BOUND = ['__guards__', '__pipes__', '__interceptors__', '__exceptionFilters__'];
const PARAMETERS = '__routeArguments__';
/** The key of a plain `@Payload()` in front. */
const PAYLOAD_FIRST = '3:0';

type Wrapper = ReturnType<DiscoveryService['getControllers']>[number];
type Method = (data: unknown) => unknown;

/** A decorated method of a controller. */
interface Place {
  readonly wrapper: Wrapper;
  readonly prototype: object;
  readonly key: string;
  readonly method: Method;
}

/**
 * Finds the `@OnMessage` methods that Nest would call with nothing around them: nothing is bound to the method, its class or
 * the application, it takes the message alone, and its controller is made once. An application that speaks HTTP, too, may have
 * given each of its microservices a configuration of its own, which nobody else can see: none of its methods counts.
 */
@Injectable()
export class GevBareMethods implements OnApplicationBootstrap, BareMethods {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly config: ApplicationConfig,
    private readonly http: HttpAdapterHost,
    private readonly servers: GevServers,
  ) {}

  onApplicationBootstrap(): void {
    this.servers.tellBareMethods(this);
  }

  handlerOf(marker: HandlerMarker): NestHandler | undefined {
    if (marker.event !== 'message' || this.isHybrid || this.hasGlobalEnhancers) return undefined;
    const [place, another] = this.placesOf(marker);
    if (place === undefined || another !== undefined || !isBare(place)) return undefined;
    return bareHandler(place.wrapper.instance as object, place.method);
  }

  private get isHybrid(): boolean {
    return Boolean(this.http.httpAdapter as unknown);
  }

  private get hasGlobalEnhancers(): boolean {
    const { config } = this;
    return [
      ...[config.getGlobalGuards(), config.getGlobalRequestGuards()],
      ...[config.getGlobalPipes(), config.getGlobalRequestPipes()],
      ...[config.getGlobalInterceptors(), config.getGlobalRequestInterceptors()],
      ...[config.getGlobalFilters(), config.getGlobalRequestFilters()],
      hooksOf(config),
    ].some(({ length }) => length > 0);
  }

  /** Where controllers have that method: in each module that lists its class, and each class that inherits it. */
  private placesOf(marker: HandlerMarker): Place[] {
    const places: Place[] = [];
    for (const wrapper of this.discovery.getControllers()) {
      const prototype = prototypeOf(wrapper);
      if (prototype === undefined) continue;
      for (const key of this.scanner.getAllMethodNames(prototype)) {
        const method = (prototype as Record<string, unknown>)[key];
        if (typeof method !== 'function') continue;
        const extras = Reflect.getMetadata(PATTERN_EXTRAS, method) as Record<symbol, unknown> | undefined;
        if (extras?.[HANDLER_MARKER] === marker)
          places.push({ wrapper, prototype, key, method: method as Method });
      }
    }
    return places;
  }
}

function isBare({ wrapper, prototype, key, method }: Place): boolean {
  if (!wrapper.isDependencyTreeStatic() || !wrapper.instance) return false;
  const { constructor } = prototype;
  const isBound = BOUND.some(
    (name) => Reflect.hasMetadata(name, constructor) || Reflect.hasMetadata(name, method),
  );
  return !isBound && takesMessageAlone(constructor, key);
}

/** No parameter is decorated, or the first with a plain `@Payload()`. */
function takesMessageAlone(constructor: object, key: string): boolean {
  const parameters = Reflect.getMetadata(PARAMETERS, constructor, key) as
    Record<string, { readonly data?: unknown; readonly pipes?: readonly unknown[] } | undefined> | undefined;
  if (parameters === undefined) return true;
  const { [PAYLOAD_FIRST]: payload, ...others } = parameters;
  if (payload === undefined || Object.keys(others).length > 0) return false;
  return payload.data === undefined && (payload.pipes ?? []).length === 0;
}

/** Since Nest 12 an application may have hooks that run before all else. */
function hooksOf(config: Partial<Pick<ApplicationConfig, 'getGlobalPreRequestHooks'>>): readonly unknown[] {
  return config.getGlobalPreRequestHooks?.() ?? [];
}
